#include "runtime/abi/float16.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace weft {
namespace {

// The value of a finite F16 by the definition in IEEE 754.
double Value(uint16_t half) {
  const int exponent = (half >> 10) & 0x1f;
  const int fraction = half & 0x3ff;
  const double magnitude =
      exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return (half & 0x8000) != 0 ? -magnitude : magnitude;
}

TEST(Float16, EveryF16Widens) {
  for (uint32_t i = 0; i < 0x10000; ++i) {
    const auto half = static_cast<uint16_t>(i);
    const float wide = F16ToF32(half);
    if ((half & 0x7c00) == 0x7c00) {
      const bool is_nan = (half & 0x3ff) != 0;
      EXPECT_EQ(std::isnan(wide), is_nan) << i;
      EXPECT_EQ(std::isinf(wide), !is_nan) << i;
      EXPECT_EQ(std::signbit(wide), (half & 0x8000) != 0) << i;
    } else {
      ASSERT_EQ(static_cast<double>(wide), Value(half)) << i;
      ASSERT_EQ(std::signbit(wide), (half & 0x8000) != 0) << i;
      ASSERT_EQ(F32ToF16(wide), half) << i;
    }
  }
}

// Nearest, ties to even, checked against both neighbours in double; odd stride so that all bits
// vary.
TEST(Float16, NarrowingIsNearestEven) {
  for (uint64_t i = 0; i < (1ull << 32); i += 1021) {
    const float value = std::bit_cast<float>(static_cast<uint32_t>(i));
    const uint16_t half = F32ToF16(value);
    ASSERT_EQ(half >> 15, std::signbit(value)) << value;
    if (std::isnan(value)) {
      ASSERT_TRUE((half & 0x7c00) == 0x7c00 && (half & 0x3ff) != 0);
      continue;
    }
    const double magnitude = std::fabs(static_cast<double>(value));
    const auto result = static_cast<uint16_t>(half & 0x7fff);
    if (result == 0x7c00) {
      ASSERT_GE(magnitude, 65520.0);
      continue;
    }
    ASSERT_LT(magnitude, 65520.0);
    ASSERT_LT(result, 0x7c00);
    const double error = std::fabs(Value(result) - magnitude);
    const double above = std::fabs(Value(static_cast<uint16_t>(result + 1)) - magnitude);
    ASSERT_TRUE(error < above || (error == above && result % 2 == 0)) << value;
    if (result > 0) {
      const double below = std::fabs(Value(static_cast<uint16_t>(result - 1)) - magnitude);
      ASSERT_TRUE(error < below || (error == below && result % 2 == 0)) << value;
    }
  }
}

TEST(Float16, NarrowingAtTheEdges) {
  EXPECT_EQ(F32ToF16(65504.0f), 0x7bff);
  EXPECT_EQ(F32ToF16(65519.996f), 0x7bff);
  EXPECT_EQ(F32ToF16(65520.0f), 0x7c00);
  EXPECT_EQ(F32ToF16(0x1p-14f), 0x0400);
  EXPECT_EQ(F32ToF16(0x1.ff8p-15f), 0x03ff);
  EXPECT_EQ(F32ToF16(0x1.ffcp-15f), 0x0400) << "a tie that carries into the normal range";
  EXPECT_EQ(F32ToF16(0x1p-24f), 0x0001);
  EXPECT_EQ(F32ToF16(0x1p-25f), 0x0000) << "a tie to even zero";
  EXPECT_EQ(F32ToF16(0x1.000002p-25f), 0x0001);
  EXPECT_EQ(F32ToF16(-0x1.8p-24f), 0x8002) << "a tie to even two";
  EXPECT_EQ(F32ToF16(-0.0f), 0x8000);
  EXPECT_EQ(F32ToF16(std::numeric_limits<float>::infinity()), 0x7c00);
}

TEST(Float16, BFloat16) {
  EXPECT_EQ(BF16ToF32(0x3f80), 1.0f);
  EXPECT_EQ(BF16ToF32(0xc049), -3.140625f);
  EXPECT_EQ(F32ToBF16(1.0f), 0x3f80);
  EXPECT_EQ(F32ToBF16(0x1.01p0f), 0x3f80) << "a tie to even";
  EXPECT_EQ(F32ToBF16(0x1.03p0f), 0x3f82) << "a tie to even";
  EXPECT_EQ(F32ToBF16(0x1.010002p0f), 0x3f81);
  EXPECT_EQ(F32ToBF16(std::numeric_limits<float>::max()), 0x7f80);
  EXPECT_EQ(F32ToBF16(-std::numeric_limits<float>::infinity()), 0xff80);
  EXPECT_TRUE(std::isnan(BF16ToF32(F32ToBF16(std::bit_cast<float>(0x7f800001u)))));
}

}  // namespace
}  // namespace weft
