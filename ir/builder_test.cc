#include "ir/builder.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/text.h"
#include "ir/verifier.h"

namespace weft::ir {
namespace {

using testing::HasSubstr;

Module WithTable() {
  Module module;
  module.name = "built";
  module.AddTensor(
      {.name = "table", .dtype = DataType::kF32, .dims = {10, 4}, .offset = 64, .bytes = 160});
  return module;
}

TEST(BuilderTest, AppendsNodesWithInferredTypes) {
  Module module = WithTable();
  Builder b(&module);
  const NodeId ids = b.Add(Op::kInput, {}, {{Attr::kName, "tokens"}}, "");
  const NodeId table = b.Add(Op::kWeight, {}, {{Attr::kTensor, "table"}}, "embed");
  const NodeId x = b.Add(Op::kEmbed, {ids, table}, {}, "embed");
  const NodeId last = b.Add(Op::kSelectRows, {x}, {}, "");
  ASSERT_TRUE(b.status().ok()) << b.status();
  EXPECT_EQ(b.type(x), (Type{DataType::kF32, {Symbol::kTokens, 4}}));
  EXPECT_EQ(&b.module(), &module);
  module.outputs = {last};
  EXPECT_TRUE(Verify(module).ok());
  EXPECT_EQ(Print(module), R"(module "built" {
  tensor "table" : f32[10,4] {file=0, offset=64}
  %0 = input {name="tokens"} : i32[T]
  %1 = weight {tensor="table"} : f32[10,4] @ "embed"
  %2 = embed %0, %1 : f32[T,4] @ "embed"
  %3 = select_rows %2 : f32[L,4]
  return %3
}
)");
}

TEST(BuilderTest, KeepsTheFirstErrorAndChangesNothingAfterIt) {
  Module module = WithTable();
  Builder b(&module);
  const NodeId ids = b.Add(Op::kInput, {}, {{Attr::kName, "tokens"}}, "");
  EXPECT_EQ(b.Add(Op::kWeight, {}, {{Attr::kTensor, "lost"}}, "model.norm"), ids);
  EXPECT_EQ(b.Add(Op::kWeight, {}, {{Attr::kTensor, "table"}}, ""), ids);
  b.Fail(absl::InternalError("later"));
  EXPECT_EQ(b.status().message(), "weight at 'model.norm': no tensor 'lost' is declared");
  EXPECT_EQ(module.id_bound(), 1);
}

TEST(BuilderTest, AnErrorInAnEmptyModuleGivesNoId) {
  Module module;
  Builder b(&module);
  EXPECT_EQ(b.Add(Op::kInput, {}, {{Attr::kName, "mask"}}, ""), -1);
  EXPECT_EQ(b.Add(Op::kInput, {}, {{Attr::kName, "tokens"}}, ""), -1);
  EXPECT_FALSE(b.status().ok());
}

TEST(BuilderTest, CallersMayFailIt) {
  Module module;
  Builder b(&module);
  b.Fail(absl::OkStatus());
  EXPECT_TRUE(b.status().ok());
  b.Fail(absl::NotFoundError("config.json has no 'hidden_size'"));
  b.Add(Op::kInput, {}, {{Attr::kName, "tokens"}}, "");
  EXPECT_EQ(module.id_bound(), 0);
  EXPECT_THAT(b.status().message(), HasSubstr("hidden_size"));
}

TEST(MakeNodeTest, ChecksTheTableBeforeItInfers) {
  Module module = WithTable();
  Builder b(&module);
  const NodeId ids = b.Add(Op::kInput, {}, {{Attr::kName, "tokens"}}, "");
  const NodeId table = b.Add(Op::kWeight, {}, {{Attr::kTensor, "table"}}, "");
  const NodeId x = b.Add(Op::kEmbed, {ids, table}, {}, "");
  EXPECT_THAT(MakeNode(module, Op::kRmsNorm, {x}, {{Attr::kEps, 1e-5}}, "n").status().message(),
              HasSubstr("rms_norm at 'n': rms_norm has 1 operands, not 2"));
  EXPECT_THAT(MakeNode(module, Op::kScale, {x}, {}, "").status().message(),
              HasSubstr("lacks the attribute 'value'"));
  EXPECT_THAT(MakeNode(module, Op::kScale, {7}, {{Attr::kValue, 1.0}}, "").status().message(),
              HasSubstr("operand 0 does not exist"));
  EXPECT_THAT(MakeNode(module, Op::kAdd, {x, -1}, {}, "").status().message(),
              HasSubstr("operand 1 does not exist"));
  EXPECT_TRUE(MakeNode(module, Op::kAdd, {x, x}, {}, "").ok());
}

}  // namespace
}  // namespace weft::ir
