#include "passes/rewrite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/builder.h"
#include "ir/text.h"
#include "passes/test_models.h"

namespace weft::passes {
namespace {

using ir::Attr;
using ir::NodeId;
using ir::Op;

constexpr absl::string_view kText = R"(module "m" {
  tensor "a" : f32[8,4] {file=0, offset=0}
  tensor "v" : f32[4] {file=0, offset=128}
  %0 = input {name="tokens"} : i32[T]
  %1 = weight {tensor="a"} : f32[8,4]
  %2 = embed %0, %1 : f32[T,4]
  %3 = add %2, %2 : f32[T,4]
  %4 = scale %3 {value=2.0} : f32[T,4]
  %5 = weight {tensor="v"} : f32[4]
  %6 = weight {tensor="v", rows=[0, 2]} : f32[2]
  %7 = concat %5, %6 : f32[6]
  %8 = concat %6, %7, %5 : f32[12]
  return %4
})";

TEST(RewriteTest, CountsUses) {
  const ir::Module module = ParseOrDie(kText);
  const Uses uses(module);
  EXPECT_EQ(uses.SoleUser(0), 2);
  EXPECT_EQ(uses.Count(2), 2);
  EXPECT_EQ(uses.SoleUser(2), -1);  // twice in one node
  EXPECT_EQ(uses.SoleUser(3), 4);
  EXPECT_EQ(uses.Count(4), 1);
  EXPECT_EQ(uses.SoleUser(4), -1);  // an output
  EXPECT_EQ(uses.Count(8), 0);
}

TEST(RewriteTest, SortsAndCompacts) {
  ir::Module module = ParseOrDie(kText);
  EXPECT_FALSE(IsCompact(module));
  // A new node at the end that an earlier one uses, with an operand that stands after its user.
  ir::Builder builder(&module);
  const NodeId sum = builder.Add(Op::kAdd, {2, 5}, {}, "new");
  module.node(3).operands = {sum, sum};
  SortAndCompact(&module);
  EXPECT_TRUE(IsCompact(module));
  EXPECT_EQ(ir::Print(module), ir::Print(ParseOrDie(R"(module "m" {
  tensor "a" : f32[8,4] {file=0, offset=0}
  tensor "v" : f32[4] {file=0, offset=128}
  %0 = input {name="tokens"} : i32[T]
  %1 = weight {tensor="a"} : f32[8,4]
  %2 = embed %0, %1 : f32[T,4]
  %3 = weight {tensor="v"} : f32[4]
  %4 = add %2, %3 : f32[T,4] @ "new"
  %5 = add %4, %4 : f32[T,4]
  %6 = scale %5 {value=2.0} : f32[T,4]
  return %6
})")));
}

TEST(RewriteTest, FlattensConcats) {
  const ir::Module module = ParseOrDie(kText);
  EXPECT_THAT(SourceWeights(module, 8), testing::ElementsAre(6, 5, 6, 5));
  EXPECT_THAT(SourceWeights(module, 5), testing::ElementsAre(5));
  EXPECT_THAT(SourceWeights(module, 2), testing::IsEmpty());
}

TEST(RewriteTest, KeysTellWeightsApart) {
  const ir::Module module = ParseOrDie(kText);
  ir::Node weight = module.node(5);
  EXPECT_NE(WeightKey(weight), WeightKey(module.node(6)));
  weight.location = "elsewhere";
  weight.Set(Attr::kFormat, std::string("f32"));
  EXPECT_EQ(WeightKey(weight), WeightKey(module.node(5)));
  weight.Set(Attr::kTransposed, true);
  EXPECT_NE(WeightKey(weight), WeightKey(module.node(5)));
}

TEST(RewriteTest, JoinsLocations) {
  EXPECT_EQ(JoinLocations({"l.0.attn.q_proj", "l.0.attn.k_proj", "l.0.attn.v_proj"}),
            "l.0.attn.{q,k,v}_proj");
  EXPECT_EQ(JoinLocations({"blk.0.attn_q", "blk.0.attn_k"}), "blk.0.attn_{q,k}");
  EXPECT_EQ(JoinLocations({"mlp.gate_proj", "mlp.gain_proj"}), "mlp.{gate,gain}_proj");
  EXPECT_EQ(JoinLocations({"a.b", "a.b"}), "a.b");
  EXPECT_EQ(JoinLocations({"a.b", "a.b.c"}), "a.{b,b.c}");
  EXPECT_EQ(JoinLocations({"x.a", "x.a.x.a"}), "x.{a,a.x.a}");
  EXPECT_EQ(JoinLocations({"q", "k"}), "{q,k}");
  EXPECT_EQ(JoinLocations({"", "k"}), "{,k}");
}

}  // namespace
}  // namespace weft::passes
