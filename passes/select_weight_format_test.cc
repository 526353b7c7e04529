// The rules are in tests/passes/select_weight_format*.wir; here: the table of decisions.
#include "passes/select_weight_format.h"

#include <gtest/gtest.h>

#include "passes/test_models.h"

namespace weft::passes {
namespace {

TEST(SelectWeightFormatTest, DecisionsAreThereAtEveryLaterStage) {
  constexpr absl::string_view kText = R"(module "m" {
  tensor "emb" : f16[40,20] {file=0, offset=0}
  tensor "norm" : bf16[20] {file=0, offset=2048}
  %0 = input {name="tokens"} : i32[T]
  %1 = weight {tensor="emb"} : f16[40,20] @ "embed"
  %2 = embed %0, %1 : f32[T,20] @ "embed"
  %3 = weight {tensor="norm"} : bf16[20] @ "norm"
  %4 = rms_norm %2, %3 {eps=1e-06} : f32[T,20] @ "norm"
  %5 = matmul %4, %1 : f32[T,40] @ "lm_head"
  return %5
})";
  for (const char* stage : {"select-weight-format", "pack-layout", "plan-memory"}) {
    PipelineOptions options = {.stop_after = stage};
    options.pass.q8_threshold = 40;
    const auto decisions = CollectDecisions(Lower(kText, options));
    ASSERT_EQ(decisions.size(), 2U) << stage;
    EXPECT_EQ(decisions[0].tensor, "emb");
    EXPECT_EQ(decisions[0].location, "embed");
    EXPECT_EQ(decisions[0].rows, 40);
    EXPECT_EQ(decisions[0].columns, 20);
    EXPECT_EQ(decisions[0].source, DataType::kF16);
    EXPECT_EQ(decisions[0].format, DataType::kQ8_0);
    EXPECT_EQ(decisions[0].bytes, 3 * 544);
    EXPECT_EQ(decisions[0].why, "max(20, 40) >= 40");
    EXPECT_EQ(decisions[1].rows, 20);
    EXPECT_EQ(decisions[1].columns, 1);
    EXPECT_EQ(decisions[1].format, DataType::kF32);
    EXPECT_EQ(decisions[1].bytes, 80);
    EXPECT_EQ(decisions[1].why, "vector");
  }
}

TEST(SelectWeightFormatTest, RefusesIntegers) {
  ir::Module module = ParseOrDie(R"(module "m" {
  tensor "emb" : i8[8,4] {file=0, offset=0}
  %0 = input {name="tokens"} : i32[T]
  %1 = weight {tensor="emb"} : i8[8,4]
  %2 = embed %0, %1 : f32[T,4]
  return %2
})");
  bool changed = false;
  EXPECT_EQ(SelectWeightFormat(&module, {}, &changed).message(),
            "tensor 'emb' is of type i8, which no weight can be");
}

}  // namespace
}  // namespace weft::passes
