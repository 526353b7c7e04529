// WEFT_CHECK: for what only a bug of ours can break. Whatever an input can cause is an absl::Status
// instead.
#pragma once

namespace weft {

// Prints "file:line: check failed: condition" to stderr and terminates.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);

}  // namespace weft

#define WEFT_CHECK(condition) \
  (static_cast<bool>(condition) ? void(0) : ::weft::CheckFailed(__FILE__, __LINE__, #condition))
