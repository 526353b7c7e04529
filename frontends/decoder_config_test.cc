#include "frontends/decoder_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft {
namespace {

using testing::HasSubstr;

DecoderConfig Sample() {
  DecoderConfig config;
  config.source = "config.json";
  config.fields.heads = "heads";
  config.fields.kv_heads = "kv_heads";
  config.fields.head_dim = "head_dim";
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 8;
  return config;
}

TEST(DecoderConfig, EqualSpeedsShareATable) {
  DecoderConfig config;
  EXPECT_EQ(config.AddRope({.inv_freq = {1.0F, 0.5F}}), 0);
  EXPECT_EQ(config.AddRope({.inv_freq = {1.0F, 0.25F}, .local = true}), 1);
  EXPECT_EQ(config.AddRope({.inv_freq = {1.0F, 0.5F}, .local = true}), 0);
  EXPECT_EQ(config.ropes.size(), 2U);
}

TEST(DecoderConfig, NumbersMustGoTogether) {
  DecoderConfig config = Sample();
  config.AddRope({.inv_freq = {1, 1, 1, 1}});
  EXPECT_TRUE(ValidateConfig(config).ok());

  config.kv_heads = 3;
  EXPECT_EQ(std::string(ValidateConfig(config).message()),
            "config.json: kv_heads is 3, which does not divide heads = 4");
  config = Sample();
  config.head_dim = kMaxModelDim;
  EXPECT_THAT(std::string(ValidateConfig(config).message()), HasSubstr("is above 16777216"));
  config = Sample();
  config.heads = config.kv_heads = 1024;
  config.layers.resize(16);
  EXPECT_TRUE(ValidateConfig(config).ok());
  config.layers.resize(17);
  EXPECT_EQ(std::string(ValidateConfig(config).message()),
            "config.json: kv_heads = 1024 times 17 layers is above 16384");
  config = Sample();
  config.AddRope({.inv_freq = {1, 1, 1, 1, 1}});
  EXPECT_THAT(std::string(ValidateConfig(config).message()),
              HasSubstr("turn 10 columns of a head, which has head_dim = 8"));
}

}  // namespace
}  // namespace weft
