#include "runtime/abi/check.h"

#include <cstdio>

namespace weft {

void CheckFailed(const char* file, int line, const char* condition) {
  std::fprintf(stderr, "weft: internal error: %s:%d: check failed: %s\n", file, line, condition);
  __builtin_trap();
}

}  // namespace weft
