// Q8_0: 32 consecutive values as one F16 scale and 32 signed bytes, value = scale * q. The format
// is GGUF's (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md); the arithmetic equals that
// of the `gguf` Python package (gguf.quants.Q8_0) byte for byte.
#pragma once

#include <cstdint>

namespace weft {

inline constexpr int kQ8BlockValues = 32;
inline constexpr int kQ8BlockBytes =
    2 + kQ8BlockValues;  // little-endian F16 scale, then the quants

// Quantises n values (a multiple of 32) into n/32 blocks. Per block d = amax/127, q = x * (1/d)
// rounded half away from zero, all in F32; the stored scale is d rounded to F16 (infinity from d =
// 65520 on), the quants come from the unrounded d. A block of zeros has d = 0 and q = 0; where x *
// (1/d) is not finite (NaN, infinity, d below 2^-128) q = 0.
void QuantizeQ8_0(const float* x, int64_t n, uint8_t* blocks);

// Writes n values (a multiple of 32) from n/32 blocks. q = -128 is valid in files.
void DequantizeQ8_0(const uint8_t* blocks, int64_t n, float* x);

}  // namespace weft
