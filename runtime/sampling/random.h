// The two things sampling needs that differ between machines when taken from the standard library.
#pragma once

#include <cstdint>

namespace weft {

// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014):
// the same numbers from the same seed everywhere. Not for secrets.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    state_ += kStep;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }
  // As `count` calls of Next().
  void Skip(uint64_t count) { state_ += count * kStep; }
  // Uniform in [0, 1): a multiple of 2^-53.
  double NextUnit() { return double(Next() >> 11) * 0x1p-53; }

 private:
  static constexpr uint64_t kStep = 0x9E3779B97F4A7C15;  // 2^64 / golden ratio, odd

  uint64_t state_;
};

// e^x for x <= 0 (NaN not allowed), within 1e-15 of the true value, relatively. Only additions,
// multiplications and exact scaling, so any IEEE machine gives the same bits; std::exp may differ
// in the last ones from one libm to the next.
double ReproducibleExp(double x);

}  // namespace weft
