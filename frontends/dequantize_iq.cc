#include <array>
#include <bit>

#include "frontends/dequantize_blocks.h"
#include "frontends/iq_grids.h"

namespace weft {
namespace {

constexpr std::array<float, 4> kIq2Values = {8, 25, 43, 0};  // code 3 does not occur in the grids
constexpr std::array<float, 8> kIq3XxsValues = {4, 12, 20, 28, 36, 44, 52, 62};
constexpr std::array<float, 8> kIq3SValues = {1, 3, 5, 7, 9, 11, 13, 15};
constexpr std::array<float, 16> kIq4Values = {-127, -104, -83, -65, -49, -35, -22, -10,
                                              1,    13,   25,  38,  53,  69,  89,  113};
constexpr float kIq1Delta = 0.125f;

// 7 stored sign bits; the eighth makes the number of minus signs even.
uint8_t UnpackSigns(uint32_t packed) {
  const uint32_t signs = packed & 0x7fu;
  return static_cast<uint8_t>(signs | ((std::popcount(signs) & 1u) << 7));
}

float Sign(uint8_t signs, int i) { return ((signs >> i) & 1) != 0 ? -1.0f : 1.0f; }

// 8 values of a 2-bit grid.
void WriteIq2(uint16_t entry, float scale, uint8_t signs, float* out) {
  for (int i = 0; i < 8; ++i) out[i] = scale * kIq2Values[(entry >> (2 * i)) & 3] * Sign(signs, i);
}

// 8 values of two entries of a 3-bit grid.
void WriteIq3(uint16_t first, uint16_t second, const std::array<float, 8>& values, float scale,
              uint8_t signs, float* out) {
  const uint32_t entry = first | (static_cast<uint32_t>(second) << 16);
  for (int i = 0; i < 8; ++i) out[i] = scale * values[(entry >> (4 * i)) & 7] * Sign(signs, i);
}

// 8 values of the ternary grid.
void WriteIq1(uint16_t entry, float scale, float delta, float* out) {
  for (int i = 0; i < 8; ++i) {
    out[i] = scale * (static_cast<float>((entry >> (2 * i)) & 3) - 1.0f + delta);
  }
}

// Nibble i of a run of bytes, low nibbles first.
int NibbleAt(const uint8_t* bytes, int i) { return (bytes[i / 2] >> (i % 2 * 4)) & 0x0f; }

}  // namespace

// f16 d; per 32 values 4 bytes of grid indices and a u32: four times 7 sign bits, scale in the
// top 4.
void DequantizeBlockIQ2_XXS(const uint8_t* block, float* out) {
  const float d = LoadF16(block);
  for (int group = 0; group < 8; ++group) {
    const uint8_t* indices = block + 2 + 8 * group;
    const uint32_t packed = LoadU32(indices + 4);
    const float scale = d * (0.5f + static_cast<float>(packed >> 28)) * 0.25f;
    for (int j = 0; j < 4; ++j, out += 8) {
      WriteIq2(kIq2XxsGrid[indices[j]], scale, UnpackSigns(packed >> (7 * j)), out);
    }
  }
}

// f16 d; 32 u16: grid index in the low 9 bits, 7 sign bits; 16 scale nibbles of 16 values each.
void DequantizeBlockIQ2_XS(const uint8_t* block, float* out) {
  const float d = LoadF16(block);
  const uint8_t* scales = block + 66;
  for (int j = 0; j < 32; ++j, out += 8) {
    const uint16_t packed = LoadU16(block + 2 + 2 * j);
    const float scale = d * (0.5f + static_cast<float>(NibbleAt(scales, j / 2))) * 0.25f;
    WriteIq2(kIq2XsGrid[packed & 511], scale, UnpackSigns(packed >> 9), out);
  }
}

// f16 d; 32 low bytes of grid indices; 32 bytes of signs; 8 bytes of index bits 8 and 9; 16 scale
// nibbles of 16 values each.
void DequantizeBlockIQ2_S(const uint8_t* block, float* out) {
  const float d = LoadF16(block);
  const uint8_t* low = block + 2;
  const uint8_t* signs = block + 34;
  const uint8_t* high = block + 66;
  const uint8_t* scales = block + 74;
  for (int j = 0; j < 32; ++j, out += 8) {
    const int index = low[j] | (((high[j / 4] >> (j % 4 * 2)) & 3) << 8);
    const float scale = d * (0.5f + static_cast<float>(NibbleAt(scales, j / 2))) * 0.25f;
    WriteIq2(kIq2SGrid[index], scale, signs[j], out);
  }
}

// f16 d; 64 grid indices of 4 values each; per 32 values a u32: four times 7 sign bits, scale in
// the top 4.
void DequantizeBlockIQ3_XXS(const uint8_t* block, float* out) {
  const float d = LoadF16(block);
  for (int j = 0; j < 32; ++j, out += 8) {
    const uint32_t packed = LoadU32(block + 66 + j / 4 * 4);
    const float scale = d * (0.5f + static_cast<float>(packed >> 28)) * 0.5f;
    const uint16_t first = kIq3XxsGrid[block[2 + 2 * j]];
    const uint16_t second = kIq3XxsGrid[block[3 + 2 * j]];
    WriteIq3(first, second, kIq3XxsValues, scale, UnpackSigns(packed >> (j % 4 * 7)), out);
  }
}

// f16 d; 64 low bytes of grid indices of 4 values each; 8 bytes of their ninth bits; 32 bytes of
// signs; 8 scale nibbles of 32 values each.
void DequantizeBlockIQ3_S(const uint8_t* block, float* out) {
  const float d = LoadF16(block);
  const uint8_t* low = block + 2;
  const uint8_t* high = block + 66;
  const uint8_t* signs = block + 74;
  const uint8_t* scales = block + 106;
  for (int j = 0; j < 32; ++j, out += 8) {
    const float scale = d * static_cast<float>(1 + 2 * NibbleAt(scales, j / 4));
    const int bits = high[j / 4] >> (j % 4 * 2);
    const uint16_t first = kIq3SGrid[low[2 * j] | ((bits & 1) << 8)];
    const uint16_t second = kIq3SGrid[low[2 * j + 1] | ((bits & 2) << 7)];
    WriteIq3(first, second, kIq3SValues, scale, signs[j], out);
  }
}

// f16 d; 32 low bytes of grid indices; per 32 values a u16: four times 3 high index bits, 3 bits of
// scale, sign of the delta.
void DequantizeBlockIQ1_S(const uint8_t* block, float* out) {
  const float d = LoadF16(block);
  for (int j = 0; j < 32; ++j, out += 8) {
    const uint16_t packed = LoadU16(block + 34 + j / 4 * 2);
    const float scale = d * static_cast<float>(2 * ((packed >> 12) & 7) + 1);
    const float delta = (packed & 0x8000) != 0 ? -kIq1Delta : kIq1Delta;
    const int index = block[2 + j] | (((packed >> (j % 4 * 3)) & 7) << 8);
    WriteIq1(kIq1SGrid[index], scale, delta, out);
  }
}

// 32 low bytes of grid indices; 32 nibbles: 3 high index bits and the sign of the delta; 4 u16:
// four times 3 bits of scale (16 values each) and, in the top 4 bits, a quarter of the f16 d,
// lowest first.
void DequantizeBlockIQ1_M(const uint8_t* block, float* out) {
  const uint8_t* nibbles = block + 32;
  const uint8_t* scales = block + 48;
  unsigned d_bits = 0;
  for (int j = 0; j < 4; ++j)
    d_bits |= static_cast<unsigned>(LoadU16(scales + 2 * j) >> 12) << (4 * j);
  const float d = F16ToF32(static_cast<uint16_t>(d_bits));
  for (int j = 0; j < 32; ++j, out += 8) {
    const int nibble = NibbleAt(nibbles, j);
    const int half = j / 2;  // of 16 values
    const int packed_scale = (LoadU16(scales + half / 4 * 2) >> (half % 4 * 3)) & 7;
    const float scale = d * static_cast<float>(2 * packed_scale + 1);
    const float delta = (nibble & 8) != 0 ? -kIq1Delta : kIq1Delta;
    WriteIq1(kIq1SGrid[block[j] | ((nibble & 7) << 8)], scale, delta, out);
  }
}

// f16 d, 16 bytes of nibbles that index the table, low nibbles first.
void DequantizeBlockIQ4_NL(const uint8_t* block, float* out) {
  const float d = LoadF16(block);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * kIq4Values[block[2 + i] & 0x0f];
    out[i + 16] = d * kIq4Values[block[2 + i] >> 4];
  }
}

// f16 d; u16 with the two high bits of 8 scales; 8 nibbles with their low bits; per 32 values 16
// bytes as in IQ4_NL. d * (scale - 32) * table[q].
void DequantizeBlockIQ4_XS(const uint8_t* block, float* out) {
  const float d = LoadF16(block);
  const uint16_t high = LoadU16(block + 2);
  for (int j = 0; j < 8; ++j, out += 32) {
    const int packed = NibbleAt(block + 4, j) | (((high >> (2 * j)) & 3) << 4);
    const float scale = d * static_cast<float>(packed - 32);
    const uint8_t* quants = block + 8 + 16 * j;
    for (int i = 0; i < 16; ++i) {
      out[i] = scale * kIq4Values[quants[i] & 0x0f];
      out[i + 16] = scale * kIq4Values[quants[i] >> 4];
    }
  }
}

}  // namespace weft
