#include "passes/select_kv_format.h"

#include <gtest/gtest.h>

#include "passes/test_models.h"

namespace weft::passes {
namespace {

DataType FormatUnder(const PassOptions& pass) {
  PipelineOptions options;
  options.pass = pass;
  return KvFormat(Lower(RandomModel(Family::kLlama, 3, 2), options));
}

TEST(SelectKvFormatTest, AutoFollowsTheWeights) {
  EXPECT_EQ(FormatUnder({.weights = WeightsMode::kF32}), DataType::kF32);
  EXPECT_EQ(FormatUnder({.weights = WeightsMode::kQ8_0}), DataType::kF16);
  EXPECT_EQ(FormatUnder({.q8_threshold = 1 << 20}), DataType::kF32);
}

TEST(SelectKvFormatTest, TheOptionWins) {
  EXPECT_EQ(FormatUnder({.weights = WeightsMode::kF32, .kv = KvMode::kQ8_0}), DataType::kQ8_0);
  EXPECT_EQ(FormatUnder({.weights = WeightsMode::kF32, .kv = KvMode::kF16}), DataType::kF16);
  EXPECT_EQ(FormatUnder({.weights = WeightsMode::kQ8_0, .kv = KvMode::kF32}), DataType::kF32);
}

}  // namespace
}  // namespace weft::passes
