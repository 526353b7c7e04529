#include "frontends/dequantize_blocks.h"

namespace weft {
namespace {

constexpr int kValues = 256;

// The 2 low bits of value i: each run of 32 bytes holds 128 values, 32 per bit pair from the lowest
// up.
int Crumb(const uint8_t* quants, int i) {
  return (quants[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2)) & 3;
}

// The 4 low bits of value i: each run of 32 bytes holds 64 values, low nibbles first.
int Nibble(const uint8_t* quants, int i) {
  return (quants[i / 64 * 32 + i % 32] >> (i % 64 / 32 * 4)) & 0x0f;
}

// Bit i / 32 of byte i % 32: the bit planes of Q3_K and Q5_K.
int HighBit(const uint8_t* planes, int i) { return (planes[i % 32] >> (i / 32)) & 1; }

// Scale and minimum of sub-block j (0..7) of Q4_K and Q5_K, 6 bits each in 12 bytes: for j < 4 the
// low bits of bytes j and j + 4; for j >= 4 the nibbles of byte j + 4 below the two high bits of
// bytes j - 4 and j.
struct ScaleAndMin {
  float scale;
  float min;
};
ScaleAndMin UnpackScaleAndMin(const uint8_t* packed, int j) {
  int scale = packed[j % 4] & 0x3f;
  int min = packed[j % 4 + 4] & 0x3f;
  if (j >= 4) {
    scale = (packed[j + 4] & 0x0f) | ((packed[j - 4] >> 2) & 0x30);
    min = (packed[j + 4] >> 4) | ((packed[j] >> 2) & 0x30);
  }
  return {static_cast<float>(scale), static_cast<float>(min)};
}

}  // namespace

// 16 bytes: scale nibble and min nibble of each 16 values; 64 bytes of 2-bit quants; f16 d, f16
// dmin. d * scale * q - dmin * min.
void DequantizeBlockQ2_K(const uint8_t* block, float* out) {
  const uint8_t* quants = block + 16;
  const float d = LoadF16(block + 80);
  const float dmin = LoadF16(block + 82);
  for (int j = 0; j < kValues / 16; ++j) {
    const float scale = d * static_cast<float>(block[j] & 0x0f);
    const float min = dmin * static_cast<float>(block[j] >> 4);
    for (int i = 16 * j; i < 16 * j + 16; ++i) {
      out[i] = scale * static_cast<float>(Crumb(quants, i)) - min;
    }
  }
}

// 32 bytes of third bits; 64 bytes of low 2 bits; 12 bytes with 16 scales of 6 bits; f16 d. A clear
// third bit subtracts 4. d * (scale - 32) * q.
void DequantizeBlockQ3_K(const uint8_t* block, float* out) {
  const uint8_t* planes = block;
  const uint8_t* quants = block + 32;
  const uint8_t* scales = block + 96;
  const float d = LoadF16(block + 108);
  for (int j = 0; j < kValues / 16; ++j) {
    // Scale j: low nibbles of bytes 0..7 for j < 8, high nibbles for the rest; its two high bits
    // are pair j / 4 of byte 8 + j % 4.
    const int low = (scales[j % 8] >> (j / 8 * 4)) & 0x0f;
    const int high = (scales[8 + j % 4] >> (j / 4 * 2)) & 3;
    const float scale = d * static_cast<float>((low | (high << 4)) - 32);
    for (int i = 16 * j; i < 16 * j + 16; ++i) {
      const int q = Crumb(quants, i) + 4 * HighBit(planes, i) - 4;
      out[i] = scale * static_cast<float>(q);
    }
  }
}

// f16 d, f16 dmin, 12 bytes of scales and minima of each 32 values, 128 bytes of nibbles. d * scale
// * q - dmin * min.
void DequantizeBlockQ4_K(const uint8_t* block, float* out) {
  const float d = LoadF16(block);
  const float dmin = LoadF16(block + 2);
  const uint8_t* quants = block + 16;
  for (int j = 0; j < kValues / 32; ++j) {
    const ScaleAndMin packed = UnpackScaleAndMin(block + 4, j);
    const float scale = d * packed.scale;
    const float min = dmin * packed.min;
    for (int i = 32 * j; i < 32 * j + 32; ++i) {
      out[i] = scale * static_cast<float>(Nibble(quants, i)) - min;
    }
  }
}

// As Q4_K with 32 bytes of fifth bits before the nibbles.
void DequantizeBlockQ5_K(const uint8_t* block, float* out) {
  const float d = LoadF16(block);
  const float dmin = LoadF16(block + 2);
  const uint8_t* planes = block + 16;
  const uint8_t* quants = block + 48;
  for (int j = 0; j < kValues / 32; ++j) {
    const ScaleAndMin packed = UnpackScaleAndMin(block + 4, j);
    const float scale = d * packed.scale;
    const float min = dmin * packed.min;
    for (int i = 32 * j; i < 32 * j + 32; ++i) {
      const int q = Nibble(quants, i) | (HighBit(planes, i) << 4);
      out[i] = scale * static_cast<float>(q) - min;
    }
  }
}

// 128 bytes of nibbles (each run of 64 bytes holds 128 values, low nibbles first), 64 bytes of high
// 2 bits, 16 signed scales of 16 values each, f16 d. d * scale * (q - 32).
void DequantizeBlockQ6_K(const uint8_t* block, float* out) {
  const uint8_t* nibbles = block;
  const uint8_t* high = block + 128;
  const uint8_t* scales = block + 192;
  const float d = LoadF16(block + 208);
  for (int j = 0; j < kValues / 16; ++j) {
    const float scale = d * static_cast<float>(static_cast<int8_t>(scales[j]));
    for (int i = 16 * j; i < 16 * j + 16; ++i) {
      const int low = (nibbles[i / 128 * 64 + i % 64] >> (i % 128 / 64 * 4)) & 0x0f;
      out[i] = scale * static_cast<float>((low | (Crumb(high, i) << 4)) - 32);
    }
  }
}

}  // namespace weft
