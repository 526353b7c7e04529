// The SSE/AVX control register that the reproducibility rules ask for, for the length of a scope.
#pragma once

#include <xmmintrin.h>

namespace weft {

// Round to nearest even, no flush-to-zero, no denormals-are-zero, all exceptions masked, no
// exception flags: the value after reset (Intel SDM vol. 1, 10.2.3).
inline constexpr unsigned kDefaultMxcsr = 0x1f80;

// Sets the calling thread's MXCSR to kDefaultMxcsr and restores what it found.
class ScopedFloatEnvironment {
 public:
  ScopedFloatEnvironment() : saved_(_mm_getcsr()) { _mm_setcsr(kDefaultMxcsr); }
  ~ScopedFloatEnvironment() { _mm_setcsr(saved_); }
  ScopedFloatEnvironment(const ScopedFloatEnvironment&) = delete;
  ScopedFloatEnvironment& operator=(const ScopedFloatEnvironment&) = delete;

 private:
  unsigned saved_;
};

}  // namespace weft
