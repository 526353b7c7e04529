#include "tests/corruption/plan_map.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "absl/numeric/int128.h"
#include "runtime/plan/checksum.h"
#include "runtime/plan/plan_metadata.h"
#include "runtime/plan/program_json.h"
#include "runtime/plan/test_program.h"

namespace weft::corruption {
namespace {

constexpr uint64_t kPage = 4096;

template <typename T>
void Put(std::string& bytes, size_t at, T value) {
  bytes.replace(at, sizeof value, reinterpret_cast<const char*>(&value), sizeof value);
}
template <typename T>
T Get(absl::string_view bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

uint64_t ChecksumOf(absl::string_view bytes) {
  return Checksum::Of(
      absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()));
}

uint64_t TableEnd(absl::string_view file) {
  return kTableAt + uint64_t{Get<uint32_t>(file, kSectionsAt)} * kEntryBytes;
}

uint64_t HeaderChecksumOf(absl::string_view file) {
  std::string covered(file.substr(0, kChecksumAt));
  covered.append(file.data() + kTableAt, TableEnd(file) - kTableAt);
  return ChecksumOf(covered);
}

}  // namespace

std::string WritePlan(const std::vector<PlanPart>& parts) {
  std::string file = "WEFTPLAN";
  file.resize(kTableAt + parts.size() * kEntryBytes);
  Put(file, kVersionAt, uint32_t{4});
  Put(file, kSectionsAt, static_cast<uint32_t>(parts.size()));
  for (size_t i = 0; i < parts.size(); ++i) {
    file.resize((file.size() + kPage - 1) / kPage * kPage);
    const size_t at = kTableAt + i * kEntryBytes;
    Put(file, at + kKindAt, parts[i].kind);
    Put(file, at + kIndexAt, parts[i].index);
    Put(file, at + kOffsetAt, uint64_t{file.size()});
    Put(file, at + kBytesAt, uint64_t{parts[i].bytes.size()});
    Put(file, at + kSumAt, ChecksumOf(parts[i].bytes));
    file += parts[i].bytes;
  }
  Put(file, kSizeAt, uint64_t{file.size()});
  return WithMendedChecksum(file);
}

std::string WithMendedChecksum(std::string file) {
  if (file.size() >= kTableAt && TableEnd(file) <= file.size())
    Put(file, kChecksumAt, HeaderChecksumOf(file));
  return file;
}

bool HasPlanTable(absl::string_view file) {
  using Wide = absl::uint128;
  if (file.size() < kTableAt || file.substr(0, 8) != "WEFTPLAN") return false;
  if (Get<uint32_t>(file, kVersionAt) != 4 || Get<uint64_t>(file, kSizeAt) != file.size())
    return false;
  const auto sections = Get<uint32_t>(file, kSectionsAt);
  if (sections > 127 || TableEnd(file) > file.size()) return false;
  if (Get<uint64_t>(file, kChecksumAt) != HeaderChecksumOf(file)) return false;
  std::vector<std::pair<Wide, Wide>> ranges;
  std::set<std::pair<uint32_t, uint32_t>> names;
  for (uint32_t i = 0; i < sections; ++i) {
    const size_t at = kTableAt + i * kEntryBytes;
    const auto kind = Get<uint32_t>(file, at + kKindAt);
    const auto index = Get<uint32_t>(file, at + kIndexAt);
    const auto offset = Get<uint64_t>(file, at + kOffsetAt);
    const Wide end = Wide{offset} + Get<uint64_t>(file, at + kBytesAt);
    const bool is_indexed = kind == 3 || kind == 6;
    if (kind == 0 || kind > 8 || (index != 0 && !is_indexed)) return false;
    if (!names.emplace(kind, index).second || offset % kPage != 0 || end > file.size())
      return false;
    ranges.emplace_back(offset, end);
  }
  std::sort(ranges.begin(), ranges.end());
  Wide covered = TableEnd(file);
  for (const auto& [begin, end] : ranges) {
    if (begin < covered) return false;
    covered = end;
  }
  return true;
}

std::vector<PlanPart> SmallPlan() {
  PlanMetadata metadata;
  metadata.weft_version = "1.0";
  metadata.model = "tiny";
  metadata.source = {{"model.gguf", 100, std::string(64, 'a')}};
  metadata.targets = {{"rich", CpuFeatures(1023)}, {"poor", CpuFeatures(1)}};
  metadata.stages = {"import", "last"};
  metadata.kv_format = "f32";
  metadata.options = {{"context", "32"}};
  metadata.eos_ids = {2, 3};
  metadata.bos_id = 1;
  metadata.generation = {{"temperature", 0.5}};
  metadata.decisions = {{"w", "q8_0", "because"}};
  return {{1, 0, ProgramToJson(TestProgram())},
          {2, 0, MetadataToJson(metadata)},
          {3, 0, "module @tiny imported"},
          {3, 1, "module @tiny"},
          {4, 0, "{}"},
          {5, 0, "{{ x }}"},
          {6, 0, "code"},
          {6, 1, "more code"},
          {7, 0, std::string(5000, 'w')}};
}

}  // namespace weft::corruption
