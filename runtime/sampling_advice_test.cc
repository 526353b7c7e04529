#include "runtime/sampling_advice.h"

#include <gtest/gtest.h>

namespace weft {
namespace {

TEST(SamplingAdviceTest, WhatTheModelsMakersAdviseReplacesTheDefaults) {
  SamplerOptions options;
  options.temperature = 0.1F;
  options.min_p = 0.3F;
  options.seed = 7;
  const std::vector<PlanMetadata::Number> generation = {{"temperature", 0.6},
                                                        {"top_k", 20},
                                                        {"top_p", 0.5},
                                                        {"repetition_penalty", 1.25},
                                                        {"no_such_option", 4}};
  const SamplerOptions advised = Advised(generation, options);
  EXPECT_FLOAT_EQ(advised.temperature, 0.6F);
  EXPECT_EQ(advised.top_k, 20);
  EXPECT_FLOAT_EQ(advised.top_p, 0.5F);
  EXPECT_FLOAT_EQ(advised.repeat_penalty, 1.25F);
  EXPECT_FLOAT_EQ(advised.min_p, 0.3F) << "nothing was advised";
  EXPECT_EQ(advised.seed, 7U);
}

}  // namespace
}  // namespace weft
