#include "runtime/abi/q8_0.h"

#include <cmath>

#include "runtime/abi/check.h"
#include "runtime/abi/float16.h"

namespace weft {

void QuantizeQ8_0(const float* x, int64_t n, uint8_t* blocks) {
  WEFT_CHECK(n >= 0 && n % kQ8BlockValues == 0);
  for (; n > 0; n -= kQ8BlockValues, x += kQ8BlockValues, blocks += kQ8BlockBytes) {
    float amax = 0;
    for (int i = 0; i < kQ8BlockValues; ++i) {
      const float magnitude = std::fabs(x[i]);
      if (magnitude > amax || std::isnan(magnitude))
        amax = magnitude;  // a NaN stays: NaN > y is false
    }
    const float scale = amax / 127.0f;
    const float inverse = scale == 0 ? 0.0f : 1.0f / scale;
    const uint16_t half = F32ToF16(scale);
    blocks[0] = static_cast<uint8_t>(half & 0xffu);
    blocks[1] = static_cast<uint8_t>(half >> 8);
    for (int i = 0; i < kQ8BlockValues; ++i) {
      // Half away from zero, on the exact fraction: adding 0.5 first would round 0.49999997 up.
      // |product| is at most 127 * (1 + 2^-22) wherever it is finite, so the result is at most 127.
      const float product = x[i] * inverse;
      const float magnitude = std::fabs(product);
      int rounded = 0;
      if (magnitude < 128.0f) {
        const int floor = static_cast<int>(magnitude);
        rounded = floor + (magnitude - static_cast<float>(floor) >= 0.5f ? 1 : 0);
      }
      blocks[2 + i] = static_cast<uint8_t>(product < 0 ? -rounded : rounded);
    }
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
