#include "passes/pipelines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/text.h"
#include "passes/test_models.h"

namespace weft::passes {
namespace {

TEST(PipelinesTest, StagesAreImportAndThePasses) {
  EXPECT_THAT(StageNames(), testing::ElementsAre("import", "cut-weights", "canonicalise",
                                                 "fuse-qkv", "fuse-gate-up", "select-weight-format",
                                                 "select-kv-format", "fuse-epilogue", "pack-layout",
                                                 "fuse-quantize", "schedule", "plan-memory"));
  EXPECT_EQ(FindPass("schedule")->name, "schedule");
  EXPECT_EQ(FindPass("import"), nullptr);
}

TEST(PipelinesTest, ChangesOfOpsAreThoseOfTheirNumber) {
  for (Family family : kFamilies) {
    ir::Module module = ParseOrDie(RandomModel(family, 1, 2));
    const auto stats = RunPipeline(DefaultPipeline(), {}, &module);
    ASSERT_TRUE(stats.ok()) << stats.status();
    for (const PassStats& pass : *stats) {
      int64_t more = 0;
      for (const auto& [op, nodes] : pass.ops) more += nodes;
      EXPECT_EQ(more,
                static_cast<int64_t>(pass.nodes_after) - static_cast<int64_t>(pass.nodes_before))
          << pass.name;
      if (pass.name == "fuse-gate-up" && family == Family::kLlama) {
        EXPECT_EQ(pass.ops.at("matmul"), -2) << "gate and up of two layers";
      }
      EXPECT_TRUE(pass.name != "plan-memory" || !pass.attributes.empty());
    }
  }
}

// With all passes, and without each of those that can be left out: the same bits in F32.
TEST(PipelinesTest, OptionalPassesDoNotMoveTheNumbers) {
  std::vector<std::vector<std::string>> choices = {{}};
  std::vector<std::string> all;
  for (const Pass& pass : DefaultPipeline()) {
    if (!pass.optional) continue;
    choices.push_back({std::string(pass.name)});
    all.emplace_back(pass.name);
  }
  choices.push_back(all);
  for (Family family : kFamilies) {
    for (uint32_t seed = 0; seed < 6; ++seed) {
      const std::string text = RandomModel(family, seed);
      const auto expected = Outputs(ParseOrDie(text));
      for (const auto& disabled : choices) {
        PipelineOptions options;
        options.pass.weights = WeightsMode::kF32;
        options.disabled = disabled;
        const auto outputs = Outputs(Lower(text, options));
        EXPECT_EQ(expected[0].floats, outputs[0].floats) << testing::PrintToString(disabled);
        EXPECT_EQ(expected[1].ints, outputs[1].ints);
      }
    }
  }
}

// In Q8_0 too: fusing and packing together rounds each weight as alone.
TEST(PipelinesTest, FusionsDoNotMoveTheNumbersInQ8) {
  for (Family family : {Family::kLlama, Family::kGpt2, Family::kGemma}) {
    for (uint32_t seed = 0; seed < 6; ++seed) {
      const std::string text = RandomModel(family, seed);
      PipelineOptions options;
      options.pass.q8_threshold = 24;  // some of each format
      const auto fused = Outputs(Lower(text, options));
      options.disabled = {"canonicalise", "fuse-qkv", "fuse-gate-up", "fuse-epilogue",
                          "fuse-quantize"};
      EXPECT_EQ(fused[0].floats, Outputs(Lower(text, options))[0].floats);
    }
  }
}

TEST(PipelinesTest, PlannedTextRoundTrips) {
  for (Family family : kFamilies) {
    const ir::Module module = Lower(RandomModel(family, 1), {});
    EXPECT_EQ(ir::Print(ParseOrDie(ir::Print(module))), ir::Print(module));
  }
}

}  // namespace
}  // namespace weft::passes
