// How much memory there is for this process, before the kernel ends it for taking more.
#pragma once

#include <absl/status/status.h>
#include <absl/strings/string_view.h>

#include <cstdint>
#include <limits>
#include <string>

namespace weft {

struct MemoryRoom {
  // What may be taken, swap and what the kernel can drop of files included; all that a number can
  // be where the system does not say.
  uint64_t available = std::numeric_limits<uint64_t>::max();
  // What there is in all.
  uint64_t limit = std::numeric_limits<uint64_t>::max();
  uint64_t locked = 0;  // bytes that may not be dropped, because some process locked them
  std::string owner = "this machine";  // or "the control group /docker/x"
};

// "12.3 MB". Not by absl::StrFormat, which ends the process where memory is out.
std::string Megabytes(uint64_t bytes);

// The narrowest of this machine and the control groups around this process, v1 and v2: that with
// the least available. Takes about 0.1 ms. `system_root` as of CgroupLevels.
MemoryRoom FindMemoryRoom(const std::string& system_root = "");
// That with the smallest limit.
MemoryRoom FindMemoryLimit(const std::string& system_root = "");

// ResourceExhausted where `bytes`, which will all be touched and cannot be dropped, are more than
// are available. "no memory for PURPOSE: it takes 12.3 MB, and 4.5 MB of the 67.8 MB of this
// machine are available (ADVICE)".
absl::Status CheckMemoryRoom(uint64_t bytes, absl::string_view purpose, absl::string_view advice,
                             const std::string& system_root = "");
// The same of bytes that are to be locked: swap is none for them. Those that another process has
// locked already (the weights of a plan that runs twice) cost nothing, and nobody tells which these
// are: as many as are locked may be.
absl::Status CheckRoomToLock(uint64_t bytes, absl::string_view purpose, absl::string_view advice,
                             const std::string& system_root = "");
// ResourceExhausted where they are more than there is in all.
absl::Status CheckMemoryLimit(uint64_t bytes, absl::string_view purpose, absl::string_view advice,
                              const std::string& system_root = "");

}  // namespace weft
