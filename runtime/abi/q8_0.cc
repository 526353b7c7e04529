#include "runtime/abi/q8_0.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "runtime/abi/check.h"
#include "runtime/abi/float16.h"

namespace weft {

namespace {

// The largest magnitude; of NaNs, which are larger than any number, the last.
float LargestMagnitude(const float* x) {
  // As integers, magnitudes compare as they do as floats, and vectors of them have a maximum.
  constexpr int32_t kInfinity = 0x7f800000;
  int32_t bits = 0;
  for (int i = 0; i < kQ8BlockValues; ++i)
    bits = std::max(bits, std::bit_cast<int32_t>(x[i]) & 0x7fffffff);
  if (bits > kInfinity) {
    for (int i = 0; i < kQ8BlockValues; ++i) {
      if (std::isnan(x[i])) bits = std::bit_cast<int32_t>(x[i]) & 0x7fffffff;
    }
  }
  return std::bit_cast<float>(bits);
}

}  // namespace

void QuantizeQ8_0(const float* x, int64_t n, uint8_t* blocks) {
  WEFT_CHECK(n >= 0 && n % kQ8BlockValues == 0);
  for (; n > 0; n -= kQ8BlockValues, x += kQ8BlockValues, blocks += kQ8BlockBytes) {
    const float scale = LargestMagnitude(x) / 127.0f;
    const float inverse = scale == 0 ? 0.0f : 1.0f / scale;
    const uint16_t half = F32ToF16(scale);
    blocks[0] = static_cast<uint8_t>(half & 0xffu);
    blocks[1] = static_cast<uint8_t>(half >> 8);
    // Choices as masks, of which compilers make vector code, and results apart from the block,
    // which for all they know may overlap x.
    std::array<uint8_t, kQ8BlockValues> quants;
    for (int i = 0; i < kQ8BlockValues; ++i) {
      // Half away from zero, on the exact fraction: adding 0.5 first would round 0.49999997 up.
      // |product| is at most 127 * (1 + 2^-22) wherever it is finite, so the result is at most 127.
      const auto product = std::bit_cast<int32_t>(x[i] * inverse);
      const int32_t magnitude = product & 0x7fffffff;
      const int32_t below_128 = (magnitude - std::bit_cast<int32_t>(128.0f)) >> 31;
      const auto finite = std::bit_cast<float>(magnitude & below_128);
      const auto floor = static_cast<int32_t>(finite);
      const int32_t rounded =
          floor + static_cast<int32_t>(2 * (finite - static_cast<float>(floor)));
      const int32_t sign = product >> 31;
      quants[i] = static_cast<uint8_t>((rounded ^ sign) - sign);
    }
    std::memcpy(blocks + 2, quants.data(), quants.size());
  }
}

void DequantizeQ8_0(const uint8_t* blocks, int64_t n, float* x) {
  WEFT_CHECK(n >= 0 && n % kQ8BlockValues == 0);
  for (; n > 0; n -= kQ8BlockValues, x += kQ8BlockValues, blocks += kQ8BlockBytes) {
    const float scale = F16ToF32(static_cast<uint16_t>(blocks[0] | (blocks[1] << 8)));
    for (int i = 0; i < kQ8BlockValues; ++i) {
      x[i] = static_cast<float>(static_cast<int8_t>(blocks[2 + i])) * scale;
    }
  }
}

}  // namespace weft
