#include "tools/recorded_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft::tools {
namespace {

using testing::HasSubstr;

TEST(RecordedOptions, AllComeBack) {
  CompileSettings settings;
  settings.target = "x86-64-v3,host";
  settings.pipeline.disabled = {"fuse-qkv", "fuse-epilogue"};
  passes::PassOptions& pass = settings.pipeline.pass;
  pass.q8_threshold = 512;
  pass.weights = passes::WeightsMode::kQ8_0;
  pass.formats = {{"a*=b", DataType::kF32}, {"*", DataType::kQ8_0}};
  pass.kv = passes::KvMode::kF16;
  pass.max_tokens = 77;
  pass.max_logit_rows = 3;

  const std::vector<PlanMetadata::Option> options = RecordOptions(settings, 2048);
  const auto read = ReadOptions(options);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->target, settings.target);
  EXPECT_EQ(read->pipeline.disabled, settings.pipeline.disabled);
  const passes::PassOptions& back = read->pipeline.pass;
  EXPECT_EQ(back.q8_threshold, 512);
  EXPECT_EQ(back.weights, passes::WeightsMode::kQ8_0);
  ASSERT_EQ(back.formats.size(), 2u);
  EXPECT_EQ(back.formats[0].pattern, "a*=b");
  EXPECT_EQ(back.formats[0].format, DataType::kF32);
  EXPECT_EQ(back.formats[1].format, DataType::kQ8_0);
  EXPECT_EQ(back.kv, passes::KvMode::kF16);
  EXPECT_EQ(back.max_tokens, 77);
  EXPECT_EQ(back.max_logit_rows, 3);
  EXPECT_EQ(back.context, 2048);
  EXPECT_EQ(RecordOptions(*read, 2048), options);
}

TEST(RecordedOptions, WhatThisWeftDoesNotTakeIsNamed) {
  for (const PlanMetadata::Option& option :
       {PlanMetadata::Option{"colour", "red"}, PlanMetadata::Option{"kv", "f64"},
        PlanMetadata::Option{"ctx-size", "many"}, PlanMetadata::Option{"weight-format", "a"}}) {
    EXPECT_THAT(std::string(ReadOptions({option}).status().message()),
                HasSubstr("recorded option --" + option.name + " " + option.value + ": "));
  }
}

}  // namespace
}  // namespace weft::tools
