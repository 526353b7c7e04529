// The 16-bit float formats of model files: IEEE 754 binary16 (F16) and bfloat16 (BF16), converted
// bit by bit so that every machine and compiler gives the same result (no F16C, no dependence on
// the rounding mode).
#pragma once

#include <bit>
#include <cstdint>

namespace weft {

// F16 -> F32 is exact. A NaN keeps its sign and payload.
inline float F16ToF32(uint16_t half) {
  // All three cases are computed and one is selected, so that loops over this become vector code.
  const uint32_t magnitude = half & 0x7fffu;
  const uint32_t shifted = magnitude << 13;
  const uint32_t normal = shifted + ((127u - 15u) << 23);  // the bias grows from 15 to 127
  const uint32_t special = shifted | 0x7f800000u;  // infinities and NaNs: all ones stay all ones
  // Subnormal, fraction * 2^-24: put behind an implied 2^-14 (0x38800000), which the exact
  // subtraction takes away again.
  const uint32_t subnormal = std::bit_cast<uint32_t>(std::bit_cast<float>(0x38800000u | shifted) -
                                                     std::bit_cast<float>(0x38800000u));
  const uint32_t finite = magnitude < 0x0400u ? subnormal : normal;
  const uint32_t bits = magnitude >= 0x7c00u ? special : finite;
  return std::bit_cast<float>(bits | (static_cast<uint32_t>(half & 0x8000u) << 16));
}

// F32 -> F16, round to nearest, ties to even. From 65520 on (half an ulp above the largest F16,
// 65504) the result is infinity. A NaN becomes quiet and keeps its sign and the upper bits of its
// payload.
inline uint16_t F32ToF16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  uint32_t half = 0;
  if (magnitude > 0x7f800000u) {
    half = 0x7e00u | ((magnitude >> 13) & 0x1ffu);
  } else if (magnitude >= 0x47800000u) {  // 2^16 and infinity
    half = 0x7c00u;
  } else if (magnitude >= 0x38800000u) {  // 2^-14, the smallest normal F16
    // Rounding adds just under half of the dropped 13 bits, plus one where the kept part is odd; a
    // carry out of the fraction is the right exponent (and infinity from 65520 on).
    const uint32_t rebiased = magnitude - ((127u - 15u) << 23);
    half = (rebiased + 0xfffu + ((rebiased >> 13) & 1u)) >> 13;
  } else if (magnitude >= 0x33000000u) {  // 2^-25: below it everything rounds to zero, and itself
                                          // ties to even zero
    // Subnormal F16: count units of 2^-24.
    const uint32_t exponent = magnitude >> 23;  // 102..112
    const uint32_t fraction = (magnitude & 0x7fffffu) | 0x800000u;
    const uint32_t shift =
        126 - exponent;  // value = fraction * 2^(exponent-150) = (fraction >> shift) * 2^-24
    const uint32_t kept = fraction >> shift;
    const uint32_t dropped = fraction & ((1u << shift) - 1);
    const uint32_t halfway = 1u << (shift - 1);
    half = kept + ((dropped > halfway || (dropped == halfway && (kept & 1u))) ? 1u : 0u);
  }
  return static_cast<uint16_t>(sign | half);
}

// BF16 is the upper half of an F32, so widening is exact.
inline float BF16ToF32(uint16_t bfloat) {
  return std::bit_cast<float>(static_cast<uint32_t>(bfloat) << 16);
}

// F32 -> BF16, round to nearest, ties to even; a NaN becomes quiet.
inline uint16_t F32ToBF16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

}  // namespace weft
