// A .weft plan: all that is read of it before its machine code runs, which is trusted as a program
// is, and what commands show of it. Checksums stop chance, not the fuzzer: its mutator mends them,
// so that what is behind them is tried as well. Side files that the plan names, where few and
// small, are there, as it wants them.
#include <string>
#include <vector>

#include "ir/text.h"
#include "runtime/abi/check.h"
#include "runtime/plan/checksum.h"
#include "runtime/plan/plan.h"
#include "runtime/plan/plan_format.h"
#include "runtime/plan/side_files.h"
#include "tests/corruption/program_rules.h"
#include "tests/fuzz/command_use.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/model_use.h"
#include "tests/fuzz/mutate.h"

namespace {

using weft::PlanEntry;

// Whether the file has a program whose numbers are what docs/plan-format.md allows.
bool HasProgram(absl::string_view file, uint64_t weight_bytes) {
  const absl::Span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(file.data()), file.size());
  const auto entries = weft::DecodePlanHeader(bytes, "x");
  for (const PlanEntry& entry : *entries) {
    if (entry.kind != weft::PlanSection::kProgram) continue;
    const absl::string_view json = file.substr(entry.offset, entry.size);
    return weft::corruption::HasProgramNumbers(
        nlohmann::ordered_json::parse(json.begin(), json.end()), weight_bytes);
  }
  return false;
}

// The file of these sections, with the checksums it takes.
std::string Assemble(std::vector<PlanEntry> entries, const std::vector<std::string>& contents) {
  constexpr uint64_t kAlignment = 4096;
  uint64_t end = weft::EncodePlanHeader(entries, 0).size();
  for (size_t i = 0; i < entries.size(); ++i) {
    entries[i].offset = (end + kAlignment - 1) / kAlignment * kAlignment;
    entries[i].size = contents[i].size();
    entries[i].checksum = weft::Checksum::Of(absl::MakeConstSpan(
        reinterpret_cast<const uint8_t*>(contents[i].data()), contents[i].size()));
    end = entries[i].offset + entries[i].size;
  }
  const std::vector<uint8_t> header = weft::EncodePlanHeader(entries, end);
  std::string file(header.begin(), header.end());
  file.resize(end);
  for (size_t i = 0; i < entries.size(); ++i)
    contents[i].copy(file.data() + entries[i].offset, contents[i].size());
  return file;
}

// docs/plan-format.md has their header.
void WriteSideFiles(absl::string_view file) {
  constexpr uint64_t kMostFiles = 4, kMostBytes = 1 << 20;
  const absl::Span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(file.data()), file.size());
  const auto entries = weft::DecodePlanHeader(bytes, "x");
  if (!entries.ok()) return;
  for (const PlanEntry& entry : *entries) {
    if (entry.kind != weft::PlanSection::kSideFiles) continue;
    const auto files = weft::SideFilesFromJson(file.substr(entry.offset, entry.size), "x");
    if (!files.ok() || files->size() > kMostFiles) return;
    for (size_t i = 0; i < files->size(); ++i) {
      const weft::SideFile& side = (*files)[i];
      if (side.bytes > kMostBytes) return;
      WEFT_CHECK(side.name.find('/') == std::string::npos && side.name != "..");
      std::string content(weft::kSideFileMagic);
      const auto append = [&](uint64_t value, size_t count) {
        for (size_t b = 0; b < count; ++b) content += static_cast<char>(value >> (8 * b));
      };
      append(i + 1, 4);
      append(files->size(), 4);
      append(side.bytes, 8);
      append(side.checksum, 8);
      content.resize(weft::kSideFileHeaderBytes + side.bytes);
      (void)weft::fuzz::WriteScratch(side.name, content);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  WriteSideFiles(weft::fuzz::Text(data, size));
  const std::string path = weft::fuzz::WriteScratch("plan.weft", weft::fuzz::Text(data, size));
  const auto plan = weft::Plan::Open(path);
  if (!plan.ok()) return 0;
  WEFT_CHECK(HasProgram(weft::fuzz::Text(data, size), (*plan)->weights().size()));
  (void)(*plan)->VerifyWeights();
  for (size_t i = 0; i < (*plan)->metadata().stages.size(); ++i)
    (void)weft::ir::Parse((*plan)->ir(i));
  const absl::string_view image = (*plan)->tokenizer();
  const auto tokenizer =
      weft::Tokenizer::FromImage(std::string_view(image.data(), image.size()), *plan, "x");
  if (tokenizer.ok()) weft::fuzz::UseTokenizer(*tokenizer, image);
  weft::fuzz::UseChatTemplate((*plan)->chat_template());
  weft::fuzz::LookAtPlan(path, weft::fuzz::Chooser(weft::fuzz::Text(data, size)));
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned int seed) {
  // One section, as JSON where it is that, and all checksums.
  const auto mutate = [](absl::string_view input, size_t room, weft::fuzz::Random& random) {
    const absl::Span<const uint8_t> file(reinterpret_cast<const uint8_t*>(input.data()),
                                         input.size());
    const auto entries = weft::DecodePlanHeader(file, "x");
    if (!entries.ok() || entries->empty()) return std::string();
    std::vector<std::string> contents;
    for (const PlanEntry& entry : *entries)
      contents.emplace_back(input.substr(entry.offset, entry.size));
    const size_t place = weft::fuzz::Below(contents.size(), random);
    std::string& chosen = contents[place];
    std::string changed;
    if (random() % 2 == 0) {
      changed = (*entries)[place].kind == weft::PlanSection::kIr
                    ? weft::fuzz::MutateIr(chosen, room, random)
                    : weft::fuzz::MutateJson(chosen, room, random);
    }
    chosen = changed.empty() ? weft::fuzz::MutateBytes(chosen, room, random) : changed;
    return Assemble(*entries, contents);
  };
  return weft::fuzz::MutateInPlace(data, size, max_size, seed, mutate);
}
