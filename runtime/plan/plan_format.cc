#include "runtime/plan/plan_format.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <algorithm>

#include "runtime/base/checked_reader.h"
#include "runtime/plan/checksum.h"

namespace weft {
namespace {

constexpr uint64_t kChecksumOffset = 24;

template <typename T>
void AppendLittleEndian(T value, std::vector<uint8_t>& bytes) {
  for (size_t i = 0; i < sizeof value; ++i) {
    bytes.push_back(static_cast<uint8_t>(value >> (8 * i)));
  }
}

uint64_t HeaderChecksum(absl::Span<const uint8_t> header_and_table) {
  Checksum checksum;
  checksum.Add(header_and_table.subspan(0, kChecksumOffset));
  checksum.Add(header_and_table.subspan(kPlanHeaderBytes));
  return checksum.Value();
}

absl::Status Damaged(const std::string& name, absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat(name, ": ", what, " (damaged or incomplete; compile the model again)"));
}

absl::Status CheckEntries(const std::vector<PlanEntry>& entries, uint64_t table_end,
                          uint64_t file_size, const std::string& name) {
  std::vector<size_t> sorted(entries.size());
  for (size_t i = 0; i < sorted.size(); ++i) sorted[i] = i;
  std::sort(sorted.begin(), sorted.end(),
            [&](size_t a, size_t b) { return entries[a].offset < entries[b].offset; });
  uint64_t end = table_end;
  for (const size_t i : sorted) {
    const PlanEntry& entry = entries[i];
    if (entry.offset < end || entry.offset % kPlanAlignment != 0 || entry.offset > file_size ||
        entry.size > file_size - entry.offset) {
      return Damaged(name, absl::StrCat("section '", Name(entry), "' (entry at byte ",
                                        kPlanHeaderBytes + i * kPlanEntryBytes, ") has ",
                                        entry.size, " bytes from byte ", entry.offset,
                                        ", which is misplaced in ", file_size, " bytes"));
    }
    end = entry.offset + entry.size;
  }
  return absl::OkStatus();
}

}  // namespace

absl::string_view Name(PlanSection section) {
  switch (section) {
    case PlanSection::kProgram:
      return "program";
    case PlanSection::kMetadata:
      return "metadata";
    case PlanSection::kIr:
      return "IR";
    case PlanSection::kTokenizer:
      return "tokenizer";
    case PlanSection::kChatTemplate:
      return "chat template";
    case PlanSection::kCode:
      return "machine code";
    case PlanSection::kWeights:
      return "weights";
    case PlanSection::kSideFiles:
      return "side files";
  }
  return "unknown";
}

std::string Name(const PlanEntry& entry) {
  return IsIndexed(entry.kind) ? absl::StrCat(Name(entry.kind), " ", entry.index)
                               : std::string(Name(entry.kind));
}

std::vector<uint8_t> EncodePlanHeader(absl::Span<const PlanEntry> entries, uint64_t file_size) {
  std::vector<uint8_t> bytes(kPlanMagic.begin(), kPlanMagic.end());
  AppendLittleEndian(kPlanFormatVersion, bytes);
  AppendLittleEndian(static_cast<uint32_t>(entries.size()), bytes);
  AppendLittleEndian(file_size, bytes);
  AppendLittleEndian(uint64_t{0}, bytes);
  for (const PlanEntry& entry : entries) {
    AppendLittleEndian(static_cast<uint32_t>(entry.kind), bytes);
    AppendLittleEndian(entry.index, bytes);
    AppendLittleEndian(entry.offset, bytes);
    AppendLittleEndian(entry.size, bytes);
    AppendLittleEndian(entry.checksum, bytes);
  }
  std::vector<uint8_t> checksum;
  AppendLittleEndian(HeaderChecksum(bytes), checksum);
  std::copy(checksum.begin(), checksum.end(), bytes.begin() + kChecksumOffset);
  return bytes;
}

absl::StatusOr<std::vector<PlanEntry>> DecodePlanHeader(absl::Span<const uint8_t> file,
                                                        const std::string& name) {
  ByteReader reader(file, name);
  const absl::string_view start(reinterpret_cast<const char*>(file.data()),
                                std::min<size_t>(file.size(), kPlanMagic.size()));
  if (start.empty() || start != kPlanMagic.substr(0, start.size())) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": not a plan (it does not begin with ",
                                                   kPlanMagic, "; weft compile makes plans)"));
  }
  if (file.size() < kPlanHeaderBytes) {
    return Damaged(name, absl::StrCat("truncated at byte ", file.size(), ", within the header"));
  }
  // Reads of the header cannot fail from here on; their Status is passed on all the same.
  if (absl::Status status = reader.Skip(kPlanMagic.size(), "magic"); !status.ok()) return status;
  const absl::StatusOr<uint32_t> version = reader.ReadU32("format version");
  if (!version.ok()) return version.status();
  if (*version != kPlanFormatVersion) {
    return absl::FailedPreconditionError(absl::StrCat(
        name, ": plan format version at byte 8 is ", *version, "; this weft reads version ",
        kPlanFormatVersion, " (compile the model again with this weft)"));
  }
  const absl::StatusOr<uint32_t> count = reader.ReadU32("section count");
  if (!count.ok()) return count.status();
  const absl::StatusOr<uint64_t> size = reader.ReadU64("file size");
  if (!size.ok()) return size.status();
  if (*size != file.size()) {
    return Damaged(name, absl::StrCat("file size at byte 16 is ", *size, ", the file has ",
                                      file.size(), " bytes"));
  }
  const absl::StatusOr<uint64_t> checksum = reader.ReadU64("header checksum");
  if (!checksum.ok()) return checksum.status();
  if (*count > kMaxPlanSections || reader.remaining() < *count * kPlanEntryBytes) {
    return Damaged(name, absl::StrCat("section count at byte 12 is ", *count,
                                      ", more than there is room for"));
  }
  const uint64_t table_end = kPlanHeaderBytes + *count * kPlanEntryBytes;
  if (HeaderChecksum(file.subspan(0, table_end)) != *checksum) {
    return Damaged(name, absl::StrCat("checksum of the header, at byte ", kChecksumOffset,
                                      ", does not match"));
  }
  std::vector<PlanEntry> entries;
  for (uint32_t i = 0; i < *count; ++i) {
    const uint64_t at = reader.offset();
    const absl::StatusOr<uint32_t> kind = reader.ReadU32("section kind");
    const absl::StatusOr<uint32_t> index = reader.ReadU32("section index");
    const absl::StatusOr<uint64_t> offset = reader.ReadU64("section offset");
    const absl::StatusOr<uint64_t> bytes = reader.ReadU64("section size");
    const absl::StatusOr<uint64_t> section_checksum = reader.ReadU64("section checksum");
    for (const absl::Status& status : {kind.status(), index.status(), offset.status(),
                                       bytes.status(), section_checksum.status()}) {
      if (!status.ok()) return status;
    }
    const auto section = static_cast<PlanSection>(*kind);
    const bool repeated = std::any_of(entries.begin(), entries.end(), [&](const PlanEntry& entry) {
      return entry.kind == section && entry.index == *index;
    });
    if (*kind == 0 || *kind > kPlanSectionKinds || (*index != 0 && !IsIndexed(section)) ||
        repeated) {
      return Damaged(
          name, absl::StrCat("entry ", i, " of the section table, at byte ", at, ", is of kind ",
                             *kind, " with index ", *index, ", which is unknown or repeated"));
    }
    entries.push_back({section, *offset, *bytes, *section_checksum, *index});
  }
  if (absl::Status status = CheckEntries(entries, table_end, *size, name); !status.ok()) {
    return status;
  }
  return entries;
}

}  // namespace weft
