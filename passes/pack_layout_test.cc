// What the pass does is in tests/passes/pack_layout*.wir; here: what it does to the numbers.
#include "passes/pack_layout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "passes/test_models.h"

namespace weft::passes {
namespace {

TEST(PackLayoutTest, KeepsTheNumbersInF32) { ExpectSameNumbers("pack-layout", true); }

// Rounding weights and activations to 8 bits moves each product by less than 1 %; a few layers of
// sums stay within a quarter of the largest logit, where anything wrong does not.
TEST(PackLayoutTest, RoundsInQ8) {
  for (Family family : kFamilies) {
    double difference = 0;
    double size = 0;
    for (uint32_t seed = 0; seed < 12; ++seed) {
      const std::string text = RandomModel(family, seed);
      PipelineOptions options;
      options.pass.weights = WeightsMode::kQ8_0;
      options.stop_after = "pack-layout";
      const auto exact = Outputs(ParseOrDie(text))[0];
      const auto rounded = Outputs(Lower(text, options))[0];
      ASSERT_EQ(exact.dims, rounded.dims);
      double worst = 0;
      double largest = 0;
      for (size_t i = 0; i < exact.floats.size(); ++i) {
        const double off = std::fabs(exact.floats[i] - rounded.floats[i]);
        worst = std::max(worst, off);
        largest = std::max(largest, std::fabs(static_cast<double>(exact.floats[i])));
        difference += off;
        size += std::fabs(exact.floats[i]);
      }
      EXPECT_LT(worst, 0.25 * largest) << "seed " << seed;
    }
    EXPECT_GT(difference, 0.0001 * size);
    EXPECT_LT(difference, 0.04 * size);
  }
}

}  // namespace
}  // namespace weft::passes
