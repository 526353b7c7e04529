#include "frontends/rope_frequencies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace weft {
namespace {

using testing::FloatEq;
using testing::Pointwise;

// Powers of ten, so that the expected values can be read off.
RopeSettings Settings(RopeSettings::Scaling scaling = RopeSettings::Scaling::kNone) {
  return {.theta = 10000, .dim = 8, .scaling = scaling, .factor = 8};
}

TEST(RopeFrequencies, FallWithTheIndexOfThePair) {
  EXPECT_THAT(InverseFrequencies(Settings()),
              Pointwise(testing::FloatEq(), {1.0F, 0.1F, 0.01F, 0.001F}));
}

TEST(RopeFrequencies, LinearSlowsAllDown) {
  EXPECT_THAT(InverseFrequencies(Settings(RopeSettings::Scaling::kLinear)),
              Pointwise(testing::FloatEq(), {0.125F, 0.0125F, 0.00125F, 0.000125F}));
}

TEST(RopeFrequencies, Llama3SlowsDownLongWavelengths) {
  RopeSettings settings = Settings(RopeSettings::Scaling::kLlama3);
  settings.low_freq_factor = 1;
  settings.high_freq_factor = 4;
  settings.original_context = 8192;
  // Wavelengths 6.28, 62.8, 628 and 6283; between 8192/4 and 8192/1 is the last, where
  // smooth = (8192/6283.185 - 1)/3 = 0.1012658, and 0.8987342·0.001/8 + 0.1012658·0.001.
  const std::vector<float> found = InverseFrequencies(settings);
  EXPECT_THAT(std::vector<float>(found.begin(), found.begin() + 3),
              Pointwise(testing::FloatEq(), {1.0F, 0.1F, 0.01F}));
  EXPECT_NEAR(found[3], 2.1360755e-4, 1e-10);
  settings.original_context = 512;  // 628 lies above it, too
  EXPECT_THAT(InverseFrequencies(settings),
              Pointwise(testing::FloatEq(), {1.0F, 0.1F, 0.00125F, 0.000125F}));
}

// As transformers computes them: in F32, each within one unit of the last place of the exact value
// of the rounded exponent.
TEST(RopeFrequencies, AreF32Results) {
  const std::vector<float> found = InverseFrequencies({.theta = 500000, .dim = 128});
  ASSERT_EQ(found.size(), 64U);
  for (int i = 0; i < 64; ++i) {
    const double exact = std::pow(500000.0, -2.0 * i / 128);
    EXPECT_NEAR(found[i], exact, exact * std::ldexp(1.0, -22)) << i;
  }
}

}  // namespace
}  // namespace weft
