// Plan files a second time, from docs/plan-format.md and apart from runtime/plan's writer and
// reader.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace weft::corruption {

struct PlanPart {
  uint32_t kind = 0;
  uint32_t index = 0;
  std::string bytes;
};

// Offsets of the header's and the table's fields.
inline constexpr uint64_t kVersionAt = 8, kSectionsAt = 12, kSizeAt = 16, kChecksumAt = 24;
inline constexpr uint64_t kTableAt = 32, kEntryBytes = 32;
inline constexpr uint64_t kKindAt = 0, kIndexAt = 4, kOffsetAt = 8, kBytesAt = 16, kSumAt = 24;

std::string WritePlan(const std::vector<PlanPart>& parts);
// With the header's checksum made to fit what else is in it, as who means harm would.
std::string WithMendedChecksum(std::string file);

// Whether header and table are what the page says, in 128 bits.
bool HasPlanTable(absl::string_view file);

// The smallest plan with all kinds of sections. Of the side files, what their section says.
std::vector<PlanPart> SmallPlan();

}  // namespace weft::corruption
