#include "frontends/dequantize_blocks.h"

namespace weft {

namespace {

// The 4 low bits of value i of 32: low nibbles of the 16 bytes first, then the high ones.
int Nibble(const uint8_t* quants, int i) { return i < 16 ? quants[i] & 0x0f : quants[i - 16] >> 4; }

}  // namespace

// f16 d, 16 bytes of nibbles; d * (q - 8).
void DequantizeBlockQ4_0(const uint8_t* block, float* out) {
  const float d = LoadF16(block);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(Nibble(block + 2, i) - 8);
}

// f16 d, f16 m, 16 bytes of nibbles; d * q + m.
void DequantizeBlockQ4_1(const uint8_t* block, float* out) {
  const float d = LoadF16(block);
  const float m = LoadF16(block + 2);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(Nibble(block + 4, i)) + m;
}

// f16 d, u32 with the fifth bits, 16 bytes of nibbles; d * (q - 16).
void DequantizeBlockQ5_0(const uint8_t* block, float* out) {
  const float d = LoadF16(block);
  const uint32_t high = LoadU32(block + 2);
  for (int i = 0; i < 32; ++i) {
    const int q = Nibble(block + 6, i) | static_cast<int>(((high >> i) & 1) << 4);
    out[i] = d * static_cast<float>(q - 16);
  }
}

// f16 d, f16 m, u32 with the fifth bits, 16 bytes of nibbles; d * q + m.
void DequantizeBlockQ5_1(const uint8_t* block, float* out) {
  const float d = LoadF16(block);
  const float m = LoadF16(block + 2);
  const uint32_t high = LoadU32(block + 4);
  for (int i = 0; i < 32; ++i) {
    const int q = Nibble(block + 8, i) | static_cast<int>(((high >> i) & 1) << 4);
    out[i] = d * static_cast<float>(q) + m;
  }
}

}  // namespace weft
