// One block of each GGUF block format as F32, for dequantize.cc. `block` holds
// GetInfo(type).block_bytes bytes of any alignment, `out` receives GetInfo(type).block_values
// values. Layouts are described at the definitions; arithmetic is F32, one rounding per operator,
// in the order of the `gguf` Python package (gguf/quants.py).
#pragma once

#include <cstdint>

#include "runtime/abi/float16.h"

namespace weft {

// dequantize_legacy.cc: 32 values under one scale.
void DequantizeBlockQ4_0(const uint8_t* block, float* out);
void DequantizeBlockQ4_1(const uint8_t* block, float* out);
void DequantizeBlockQ5_0(const uint8_t* block, float* out);
void DequantizeBlockQ5_1(const uint8_t* block, float* out);

// dequantize_k.cc: 256 values, quantised scales under F16 scales.
void DequantizeBlockQ2_K(const uint8_t* block, float* out);
void DequantizeBlockQ3_K(const uint8_t* block, float* out);
void DequantizeBlockQ4_K(const uint8_t* block, float* out);
void DequantizeBlockQ5_K(const uint8_t* block, float* out);
void DequantizeBlockQ6_K(const uint8_t* block, float* out);

// dequantize_iq.cc: points of a grid with signs, and the two formats with a table of 16 values.
void DequantizeBlockIQ1_S(const uint8_t* block, float* out);
void DequantizeBlockIQ1_M(const uint8_t* block, float* out);
void DequantizeBlockIQ2_XXS(const uint8_t* block, float* out);
void DequantizeBlockIQ2_XS(const uint8_t* block, float* out);
void DequantizeBlockIQ2_S(const uint8_t* block, float* out);
void DequantizeBlockIQ3_XXS(const uint8_t* block, float* out);
void DequantizeBlockIQ3_S(const uint8_t* block, float* out);
void DequantizeBlockIQ4_NL(const uint8_t* block, float* out);
void DequantizeBlockIQ4_XS(const uint8_t* block, float* out);

// dequantize_tiny.cc: ternary and 4-bit float formats.
void DequantizeBlockTQ1_0(const uint8_t* block, float* out);
void DequantizeBlockTQ2_0(const uint8_t* block, float* out);
void DequantizeBlockMXFP4(const uint8_t* block, float* out);
void DequantizeBlockNVFP4(const uint8_t* block, float* out);

inline uint16_t LoadU16(const uint8_t* bytes) {
  return static_cast<uint16_t>(bytes[0] | (bytes[1] << 8));
}
inline uint32_t LoadU32(const uint8_t* bytes) {
  return LoadU16(bytes) | (static_cast<uint32_t>(LoadU16(bytes + 2)) << 16);
}
inline float LoadF16(const uint8_t* bytes) { return F16ToF32(LoadU16(bytes)); }

}  // namespace weft
