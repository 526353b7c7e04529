#include "ir/module.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/op_examples.h"
#include "ir/text.h"

namespace weft::ir {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Nodes of no meaning: only their edges matter here.
Node Plain(std::vector<NodeId> operands) {
  return {.op = Op::kAdd, .operands = std::move(operands)};
}

TEST(NodeTest, KeepsAttributesSortedAndSingle) {
  Node node{.op = Op::kAttention};
  node.Set(Attr::kWindow, int64_t{4});
  node.Set(Attr::kScale, 0.5);
  node.Set(Attr::kHeads, int64_t{2});
  node.Set(Attr::kWindow, int64_t{8});
  ASSERT_EQ(node.attrs.size(), 3U);
  EXPECT_EQ(node.attrs[0].first, Attr::kScale);
  EXPECT_EQ(node.attrs[1].first, Attr::kHeads);
  EXPECT_EQ(node.attrs[2].first, Attr::kWindow);
  EXPECT_EQ(node.Int(Attr::kWindow), 8);
  EXPECT_EQ(node.Float(Attr::kScale), 0.5);
  node.Remove(Attr::kWindow);
  node.Remove(Attr::kWindow);
  EXPECT_FALSE(node.Has(Attr::kWindow));
  EXPECT_EQ(node.Int(Attr::kWindow, 3), 3);
  EXPECT_EQ(node.Float(Attr::kSoftcap, 1.5), 1.5);
}

TEST(NodeTest, ListsAndBoolsMayBeUnset) {
  Node node{.op = Op::kMatmul};
  EXPECT_FALSE(node.Bool(Attr::kView));
  EXPECT_THAT(node.Ints(Attr::kRows), IsEmpty());
  EXPECT_THAT(node.Floats(Attr::kInvFreq), IsEmpty());
  EXPECT_THAT(node.Strings(Attr::kEpilogue), IsEmpty());
  node.Set(Attr::kView, true);
  node.Set(Attr::kRows, std::vector<int64_t>{1, 2});
  node.Set(Attr::kInvFreq, std::vector<double>{0.5});
  node.Set(Attr::kEpilogue, std::vector<std::string>{"bias"});
  node.Set(Attr::kWhy, std::string("because"));
  EXPECT_TRUE(node.Bool(Attr::kView));
  EXPECT_THAT(node.Ints(Attr::kRows), ElementsAre(1, 2));
  EXPECT_THAT(node.Floats(Attr::kInvFreq), ElementsAre(0.5));
  EXPECT_THAT(node.Strings(Attr::kEpilogue), ElementsAre("bias"));
  EXPECT_EQ(node.String(Attr::kWhy), "because");
}

TEST(NodeTest, WrongKindsAreBugs) {
  Node node{.op = Op::kScale};
  EXPECT_DEATH(node.Set(Attr::kValue, int64_t{2}), "check failed");
  EXPECT_DEATH(node.Float(Attr::kValue), "check failed");
  node.Set(Attr::kValue, 2.0);
  EXPECT_DEATH(node.Int(Attr::kValue), "check failed");
}

TEST(ModuleTest, InsertsAroundAnchors) {
  Module module;
  const NodeId a = module.Append(Plain({}));
  const NodeId d = module.Append(Plain({a}));
  const NodeId b = module.InsertAfter(a, Plain({a}));
  const NodeId c = module.InsertBefore(d, Plain({b}));
  EXPECT_THAT(module.order(), ElementsAre(a, b, c, d));
  EXPECT_EQ(module.id_bound(), 4);
  EXPECT_DEATH(module.InsertBefore(9, Plain({})), "check failed");
}

TEST(ModuleTest, ReplacesUsesInOperandsAndOutputs) {
  Module module;
  const NodeId a = module.Append(Plain({}));
  const NodeId b = module.Append(Plain({a}));
  const NodeId c = module.Append(Plain({a, a, b}));
  module.outputs = {a, c};
  module.ReplaceUses(a, b, /*except=*/b);
  EXPECT_THAT(module.node(b).operands, ElementsAre(a));
  EXPECT_THAT(module.node(c).operands, ElementsAre(b, b, b));
  EXPECT_THAT(module.outputs, ElementsAre(b, c));
}

TEST(ModuleTest, ListsEachUserOnce) {
  Module module;
  const NodeId a = module.Append(Plain({}));
  const NodeId b = module.Append(Plain({a, a}));
  const NodeId c = module.Append(Plain({a, b, a}));
  const auto users = module.Users();
  EXPECT_THAT(users[a], ElementsAre(b, c));
  EXPECT_THAT(users[b], ElementsAre(c));
  EXPECT_THAT(users[c], IsEmpty());
}

TEST(ModuleTest, CompactDropsDeadNodesAndNumbersTheRest) {
  Module module;
  const NodeId a = module.Append(Plain({}));
  module.Append(Plain({a}));  // dead
  const NodeId c = module.Append(Plain({a}));
  const NodeId d = module.InsertBefore(c, Plain({a, a}));
  module.ReplaceUses(a, d, d);  // c now uses d, which has a higher id
  module.outputs = {c, a};
  module.Compact();
  EXPECT_EQ(module.id_bound(), 3);
  EXPECT_THAT(module.order(), ElementsAre(0, 1, 2));
  EXPECT_THAT(module.node(1).operands, ElementsAre(0, 0));
  EXPECT_THAT(module.node(2).operands, ElementsAre(1));
  EXPECT_THAT(module.outputs, ElementsAre(2, 0));
}

TEST(ModuleTest, CompactDropsWhatAnOrderLeavesOut) {
  Module module;
  module.Append(Plain({}));
  const NodeId b = module.Append(Plain({}));
  const NodeId c = module.Append(Plain({b}));
  module.outputs = {c};
  module.SetOrder({b, c});
  module.Compact();
  EXPECT_EQ(module.id_bound(), 2);
  EXPECT_THAT(module.outputs, ElementsAre(1));
  EXPECT_THAT(module.node(1).operands, ElementsAre(0));
}

TEST(ModuleTest, FindsTensorsByName) {
  Module module;
  module.AddTensor({.name = "a", .dims = {1}});
  module.AddTensor({.name = "b", .dims = {2}});
  ASSERT_NE(module.FindTensor("b"), nullptr);
  EXPECT_THAT(module.FindTensor("b")->dims, ElementsAre(2));
  EXPECT_EQ(module.FindTensor("c"), nullptr);
  const Module copy = module;
  EXPECT_EQ(copy.FindTensor("a"), &copy.tensors[0]);
}

TEST(ModuleTest, TellsTheOperandsOfAMatmulApart) {
  const Module module = *Parse(ExampleOf(Op::kMatmul));
  const MatmulOperands plain = module.OperandsOf(module.node(10));
  EXPECT_EQ(plain.f32_input, 3);
  EXPECT_EQ(plain.quantized_input, -1);
  EXPECT_THAT(plain.weights, ElementsAre(6));
  EXPECT_EQ(plain.bias, -1);
  EXPECT_EQ(plain.residual, -1);

  const MatmulOperands quantized = module.OperandsOf(module.node(11));
  EXPECT_EQ(quantized.f32_input, -1);
  EXPECT_EQ(quantized.quantized_input, 9);

  const MatmulOperands epilogue = module.OperandsOf(module.node(12));
  EXPECT_EQ(epilogue.bias, 4);
  EXPECT_EQ(epilogue.residual, 3);

  const MatmulOperands both = module.OperandsOf(module.node(13));
  EXPECT_EQ(both.f32_input, 3);
  EXPECT_EQ(both.quantized_input, 9);
  EXPECT_THAT(both.weights, ElementsAre(7, 8));
  EXPECT_DEATH(module.OperandsOf(module.node(9)), "check failed");
}

TEST(ModuleTest, EqualityIsThatOfTheText) {
  const Module a = *Parse(ExampleOf(Op::kMul));
  Module b = a;
  EXPECT_TRUE(a == b);
  b.node(6).location = "elsewhere";
  EXPECT_FALSE(a == b);
  // Other ids, same program.
  Module c = a;
  const NodeId twin = c.InsertAfter(6, c.node(6));
  c.ReplaceUses(6, twin);
  std::vector<NodeId> order = c.order();
  std::erase(order, 6);
  c.SetOrder(order);
  EXPECT_TRUE(a == c);
}

}  // namespace
}  // namespace weft::ir
