#include "ir/evaluator.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/map_weight_reader.h"
#include "ir/text.h"

namespace weft::ir {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// One layer: row ← row + 2·row, its last rows, and which column is the largest.
constexpr char kModule[] = R"(module "m" {
  tensor "table" : f32[3,2] {file=0, offset=0}
  %0 = input {name="tokens"} : i32[T]
  %1 = weight {tensor="table"} : f32[3,2] @ "wte"
  %2 = embed %0, %1 : f32[T,2] @ "wte"
  %3 = scale %2 {value=2.0} : f32[T,2]
  %4 = add %3, %2 : f32[T,2] @ "residual"
  %5 = add %4, %4 : f32[T,2]
  %6 = select_rows %4 : f32[L,2] @ "logits"
  %7 = argmax %6 : i32[L]
  return %7, %6, %2, %6
})";

class EvaluatorTest : public testing::Test {
 protected:
  Module module_ = *Parse(kModule);
  MapWeightReader weights_ = MapWeightReader({{"table", {1, 2, 4, 3, 5, 6}}});
};

TEST_F(EvaluatorTest, GivesOutputsInTheirOrder) {
  const auto outputs = *Evaluate(module_, weights_, {2, 1});
  ASSERT_EQ(outputs.size(), 4U);
  EXPECT_THAT(outputs[0].ints, ElementsAre(1, 0));
  EXPECT_THAT(outputs[1].floats, ElementsAre(15, 18, 12, 9));
  EXPECT_THAT(outputs[2].floats, ElementsAre(5, 6, 4, 3));
  EXPECT_THAT(outputs[3].floats, ElementsAre(15, 18, 12, 9));
  EXPECT_EQ(outputs[1].rows(), 2);
  EXPECT_EQ(outputs[1].columns(), 2);
}

TEST_F(EvaluatorTest, LogitRowsAreTheLast) {
  const auto outputs = *Evaluate(module_, weights_, {2, 1}, {.logit_rows = 1});
  EXPECT_THAT(outputs[0].ints, ElementsAre(0));
  EXPECT_THAT(outputs[1].floats, ElementsAre(12, 9));
  EXPECT_THAT(outputs[2].floats, ElementsAre(5, 6, 4, 3));
}

TEST_F(EvaluatorTest, ObserversSeeEveryNodeInProgramOrder) {
  std::vector<std::string> seen;
  const auto observer = [&seen](const Node& node, const Value& value) {
    seen.push_back(absl::StrCat(Name(node.op), " ", value.floats.size() + value.ints.size()));
  };
  ASSERT_TRUE(Evaluate(module_, weights_, {0}, {.observer = observer}).ok());
  EXPECT_THAT(seen, ElementsAre("input 1", "weight 6", "embed 2", "scale 2", "add 2", "add 2",
                                "select_rows 2", "argmax 1"));
}

TEST_F(EvaluatorTest, RefusesWhatItCannotRun) {
  EXPECT_THAT(Evaluate(module_, weights_, {}).status().message(), HasSubstr("no tokens"));
  EXPECT_THAT(Evaluate(module_, weights_, {1}, {.logit_rows = 2}).status().message(),
              HasSubstr("logits of 2 of 1 tokens"));
  EXPECT_FALSE(Evaluate(module_, weights_, {1}, {.logit_rows = -1}).ok());
  EXPECT_EQ(Evaluate(module_, weights_, {3}).status().message(),
            "embed at 'wte': id 3 is not below 3");
  EXPECT_EQ(Evaluate(module_, weights_, {-1}).status().message(),
            "embed at 'wte': id -1 is not below 3");
  EXPECT_EQ(Evaluate(module_, MapWeightReader({}), {1}).status().message(),
            "weight at 'wte': tensor 'table' has no such values");
}

TEST_F(EvaluatorTest, RowsOfHigherRanksAreAllButTheLastDim) {
  EXPECT_EQ((Value{.dims = {3, 2, 4, 8}}).rows(), 24);
  EXPECT_EQ((Value{.dims = {7}}).rows(), 1);
}

}  // namespace
}  // namespace weft::ir
