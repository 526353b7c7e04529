// Pages of the weights while a plan is written: they are the files', and need not stay in memory.
#pragma once

#include <absl/types/span.h>

#include <cstdint>

namespace weft {

// Gives back the whole pages among these bytes, which map a file; what is written there stays, and
// a touch finds it again.
void ReleasePages(absl::Span<const uint8_t> bytes);

// Their checksum. Reads them piece by piece, and gives back the pages of each.
uint64_t ChecksumAndRelease(absl::Span<const uint8_t> bytes);

}  // namespace weft
