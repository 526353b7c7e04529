// Memory that the system may not take away.
#pragma once

#include <absl/status/status.h>
#include <absl/strings/string_view.h>
#include <absl/types/span.h>

#include <cstdint>

namespace weft {

// Reads the pages of these bytes in, and keeps them. Errors open with `name`, and say what to do
// where the limit of such memory is too low.
absl::Status LockMemory(absl::Span<const uint8_t> bytes, absl::string_view name);

}  // namespace weft
