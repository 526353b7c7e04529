// What is left of a thread's stack.
#pragma once

#include <absl/status/status.h>

#include <cstddef>

namespace weft {

// ResourceExhausted where fewer than `bytes` are left below the caller on its thread's stack. OK on
// a stack that is not the thread's own, of which nobody knows the end.
absl::Status CheckStackRoom(size_t bytes);

}  // namespace weft
