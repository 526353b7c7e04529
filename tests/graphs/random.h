// Choices from a seed, the same with every compiler and library.
#pragma once

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "runtime/abi/check.h"
#include "runtime/sampling/random.h"

namespace weft::graphs {

class Random {
 public:
  explicit Random(uint64_t seed) : source_(seed) {}

  uint64_t Next() { return source_.Next(); }
  // 0 … count - 1.
  int64_t Below(int64_t count) {
    WEFT_CHECK(count > 0);
    return static_cast<int64_t>(Next() % static_cast<uint64_t>(count));
  }
  int64_t Between(int64_t low, int64_t high) { return low + Below(high - low + 1); }
  // True in one of `count` cases.
  bool OneIn(int64_t count) { return Below(count) == 0; }
  // [0, 1).
  double Unit() { return source_.NextUnit(); }
  // Mean 0, deviation 1, within ±6: a sum of 12 uniform values less their mean.
  double Normal() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += Unit();
    return sum;
  }

  template <typename T>
  const T& Pick(const std::vector<T>& choices) {
    return choices[static_cast<size_t>(Below(static_cast<int64_t>(choices.size())))];
  }
  template <typename T>
  T Pick(std::initializer_list<T> choices) {
    return choices.begin()[Below(static_cast<int64_t>(choices.size()))];
  }

 private:
  weft::Random source_;
};

}  // namespace weft::graphs
