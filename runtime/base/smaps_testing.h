// For tests: what the kernel says of a mapping of this process, and whether it can be locked.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "absl/base/config.h"

namespace weft {

#if defined(ABSL_HAVE_ADDRESS_SANITIZER) || defined(ABSL_HAVE_THREAD_SANITIZER)
inline constexpr bool kMlockLocks = false;  // sanitizers leave mlock() out
#else
inline constexpr bool kMlockLocks = true;
#endif

// Of the mapping that holds the address: its kilobytes under this name in /proc/self/smaps
// (proc(5)); -1 where there is none.
inline int64_t SmapsKilobytes(const void* address, const std::string& field) {
  const auto wanted = reinterpret_cast<uintptr_t>(address);
  std::ifstream smaps("/proc/self/smaps");
  bool inside = false;
  for (std::string line; std::getline(smaps, line);) {
    uintptr_t begin = 0;
    uintptr_t end = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2) {
      inside = begin <= wanted && wanted < end;
    } else if (inside && line.compare(0, field.size() + 1, field + ":") == 0) {
      return std::atoll(line.c_str() + field.size() + 1);
    }
  }
  return -1;
}

}  // namespace weft
