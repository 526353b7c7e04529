// The bytes of a .weft file (docs/plan-format.md). All integers are little-endian.
#pragma once

#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <absl/types/span.h>

#include <cstdint>
#include <string>
#include <vector>

namespace weft {

inline constexpr absl::string_view kPlanMagic = "WEFTPLAN";
inline constexpr uint32_t kPlanFormatVersion = 4;
// Of every section, so that it can be mapped on its own.
inline constexpr uint64_t kPlanAlignment = 4096;

// magic[8], u32 format version, u32 section count, u64 file size, u64 checksum of the header up to
// here and of the table, as if they stood together.
inline constexpr uint64_t kPlanHeaderBytes = 32;
// u32 kind, u32 index, u64 offset, u64 size, u64 checksum of the section's bytes.
inline constexpr uint64_t kPlanEntryBytes = 32;
// Header and table fit before the first section.
inline constexpr uint64_t kMaxPlanSections = (kPlanAlignment - kPlanHeaderBytes) / kPlanEntryBytes;

// A file holds each kind at most once, but those that are indexed. Numbers are part of the format.
enum class PlanSection : uint32_t {
  kProgram = 1,       // JSON: program_json.h
  kMetadata = 2,      // JSON: plan_metadata.h
  kIr = 3,            // the module as text, one of each stage in the metadata; the last is final
  kTokenizer = 4,     // JSON
  kChatTemplate = 5,  // text
  kCode = 6,          // machine code, one of each target in the metadata: an ELF shared object
  kWeights = 7,       // program.weight_bytes bytes, as packed
  kSideFiles = 8,     // JSON, instead of them: the files that hold them (side_files.h)
};
inline constexpr size_t kPlanSectionKinds = 8;

// "weights"; for messages.
absl::string_view Name(PlanSection section);

// Whether a file may hold several sections of the kind, told apart by their index.
constexpr bool IsIndexed(PlanSection section) {
  return section == PlanSection::kIr || section == PlanSection::kCode;
}

// One row of the section table.
struct PlanEntry {
  PlanSection kind = PlanSection::kProgram;
  uint64_t offset = 0;
  uint64_t size = 0;
  uint64_t checksum = 0;
  uint32_t index = 0;  // 0 unless IsIndexed(kind)
};

// "weights", "machine code 1"; for messages.
std::string Name(const PlanEntry& entry);

// Header and table, the checksum over both filled in.
std::vector<uint8_t> EncodePlanHeader(absl::Span<const PlanEntry> entries, uint64_t file_size);

// The entries of a file's header and table, checked: magic, version, file size, checksum, known
// kinds and indices once each, sections aligned, inside the file and apart from each other. Errors
// name `name`.
absl::StatusOr<std::vector<PlanEntry>> DecodePlanHeader(absl::Span<const uint8_t> file,
                                                        const std::string& name);

}  // namespace weft
