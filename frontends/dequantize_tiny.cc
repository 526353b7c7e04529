#include <array>
#include <bit>
#include <cmath>

#include "frontends/dequantize_blocks.h"

namespace weft {
namespace {

// The 4-bit floats of OCP Microscaling (E2M1: sign, 2 bits of exponent, 1 of fraction), doubled to
// be integers.
constexpr std::array<float, 16> kDoubledE2M1 = {0, 1,  2,  3,  4,  6,  8,  12,
                                                0, -1, -2, -3, -4, -6, -8, -12};

// 2^(exponent - 127) / 2: half, because the values are doubled. Below 2 the result is an F32
// subnormal.
float HalfE8M0(uint8_t exponent) {
  const uint32_t bits =
      exponent < 2 ? 0x00200000u << exponent : static_cast<uint32_t>(exponent - 1) << 23;
  return std::bit_cast<float>(bits);
}

// Unsigned E4M3 (bias 7) / 2; 0x7f, the format's NaN, counts as zero. The top bit is not part of
// the exponent.
float HalfUE4M3(uint8_t bits) {
  if (bits == 0x7f) return 0;
  const int exponent = (bits >> 3) & 0x0f;
  const int fraction = bits & 7;
  return exponent == 0 ? std::ldexp(static_cast<float>(fraction), -10)
                       : std::ldexp(static_cast<float>(8 + fraction), exponent - 11);
}

// Digit `power` of a byte that holds 5 base-3 digits as a fraction of 256 (first digit in the
// highest place): multiply the digits above it out of the byte, then take the top one. Digits 0, 1,
// 2 stand for -1, 0, 1.
int Trit(uint8_t byte, int power) {
  static constexpr std::array<uint8_t, 5> kPowers = {1, 3, 9, 27, 81};
  const auto rest = static_cast<uint8_t>(byte * kPowers[power]);
  return ((rest * 3) >> 8) - 1;
}

}  // namespace

// 48 bytes of 5 digits (first 32, then 16 bytes together, digit by digit), 4 bytes of 4 digits, f16
// d.
void DequantizeBlockTQ1_0(const uint8_t* block, float* out) {
  const float d = LoadF16(block + 52);
  const auto write = [&](const uint8_t* bytes, int count, int digits) {
    for (int power = 0; power < digits; ++power) {
      for (int i = 0; i < count; ++i) *out++ = d * static_cast<float>(Trit(bytes[i], power));
    }
  };
  write(block, 32, 5);
  write(block + 32, 16, 5);
  write(block + 48, 4, 4);
}

// 64 bytes of 2-bit quants (each run of 32 bytes holds 128 values, 32 per bit pair from the lowest
// up), f16 d. d * (q - 1).
void DequantizeBlockTQ2_0(const uint8_t* block, float* out) {
  const float d = LoadF16(block + 64);
  for (int i = 0; i < 256; ++i) {
    const int q = (block[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2)) & 3;
    out[i] = d * static_cast<float>(q - 1);
  }
}

// u8 exponent, 16 bytes of nibbles, low nibbles first.
void DequantizeBlockMXFP4(const uint8_t* block, float* out) {
  const float d = HalfE8M0(block[0]);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * kDoubledE2M1[block[1 + i] & 0x0f];
    out[i + 16] = d * kDoubledE2M1[block[1 + i] >> 4];
  }
}

// 4 scales; per scale 16 values in 8 bytes of nibbles, low nibbles first.
void DequantizeBlockNVFP4(const uint8_t* block, float* out) {
  for (int j = 0; j < 4; ++j, out += 16) {
    const float d = HalfUE4M3(block[j]);
    const uint8_t* quants = block + 4 + 8 * j;
    for (int i = 0; i < 8; ++i) {
      out[i] = d * kDoubledE2M1[quants[i] & 0x0f];
      out[i + 8] = d * kDoubledE2M1[quants[i] >> 4];
    }
  }
}

}  // namespace weft
