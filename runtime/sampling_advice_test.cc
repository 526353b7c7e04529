#include "runtime/sampling_advice.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "runtime/sampling/sampler.h"

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

// A plan's JSON may hold any number.
TEST(SamplingAdviceTest, AdviceThatNoOptionCanBeIsLeftToTheSampler) {
  EXPECT_EQ(Advised({{"top_k", 1e300}}, {}).top_k, std::numeric_limits<int>::max());
  for (const double number : {-1e300, -3e9, std::nan("")}) {
    const SamplerOptions advised = Advised({{"top_k", number}}, {});
    EXPECT_EQ(Sampler::Create(advised).status().code(), absl::StatusCode::kInvalidArgument);
  }
  for (const double number : {1e300, -1e300, std::nan(""), -1e-300}) {
    for (const char* name : {"temperature", "top_p", "min_p", "repetition_penalty"}) {
      const auto sampler = Sampler::Create(Advised({{name, number}}, {}));
      if (number == -1e-300 && name[0] != 'r' && name != std::string("top_p")) {
        EXPECT_TRUE(sampler.ok()) << "as F32 it is zero";
      } else {
        EXPECT_EQ(sampler.status().code(), absl::StatusCode::kInvalidArgument) << name << number;
      }
    }
  }
}

}  // namespace
}  // namespace weft
