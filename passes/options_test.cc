#include "passes/options.h"

#include <gtest/gtest.h>

namespace weft::passes {
namespace {

TEST(OptionsTest, ParsesWeightsModes) {
  for (WeightsMode mode : {WeightsMode::kAuto, WeightsMode::kF32, WeightsMode::kQ8_0})
    EXPECT_EQ(*ParseWeightsMode(Name(mode)), mode);
  EXPECT_EQ(ParseWeightsMode("Q8_0").status().message(),
            "weights are auto, f32 or q8_0, not 'Q8_0'");
}

TEST(OptionsTest, ParsesOverrides) {
  const auto entry = ParseFormatOverride("a=b.*=q8_0");
  ASSERT_TRUE(entry.ok());
  EXPECT_EQ(entry->pattern, "a=b.*");
  EXPECT_EQ(entry->format, DataType::kQ8_0);
  for (const char* bad : {"", "f32", "=f32", "x=", "x=f16", "x=f32 "})
    EXPECT_FALSE(ParseFormatOverride(bad).ok()) << bad;
}

TEST(OptionsTest, Validates) {
  EXPECT_TRUE(Validate({}).ok());
  EXPECT_FALSE(Validate({.q8_threshold = -1}).ok());
  EXPECT_FALSE(Validate({.formats = {{"*", DataType::kF16}}}).ok());
  EXPECT_FALSE(Validate({.max_tokens = 0}).ok());
  EXPECT_FALSE(Validate({.max_tokens = INT64_MAX}).ok());
  EXPECT_TRUE(Validate({.max_tokens = 8, .max_logit_rows = 8}).ok());
  EXPECT_FALSE(Validate({.max_tokens = 8, .max_logit_rows = 9}).ok());
  EXPECT_FALSE(Validate({.context = -1}).ok());
}

}  // namespace
}  // namespace weft::passes
