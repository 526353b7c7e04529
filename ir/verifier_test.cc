#include "ir/verifier.h"

#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ir/op_examples.h"
#include "ir/text.h"

namespace weft::ir {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class VerifierTest : public testing::Test {
 protected:
  // %6 = add %3, %4; %7 = add %6, %3
  Module module_ = *Parse(ExampleOf(Op::kAdd));
  std::string Error() const { return std::string(Verify(module_).message()); }
};

TEST_F(VerifierTest, AcceptsEveryExample) {
  for (const OpInfo& info : AllOps()) {
    const absl::StatusOr<Module> module = ParseWithoutVerifying(ExampleOf(info.op));
    ASSERT_TRUE(module.ok()) << info.name << ": " << module.status();
    EXPECT_TRUE(Verify(*module).ok()) << info.name << ": " << Verify(*module);
  }
}

TEST_F(VerifierTest, NamesTheNodeByItsText) {
  module_.node(6).operands = {3};
  NodeId culprit = -1;
  const absl::Status status = Verify(module_, &culprit);
  EXPECT_EQ(culprit, 6);
  EXPECT_EQ(status.message(), "'%6 = add %3 : f32[T,64]': add has 1 operands, not 2");
}

TEST_F(VerifierTest, TensorsHaveNamesOfTheirOwn) {
  module_.AddTensor(module_.tensors[1]);
  EXPECT_EQ(Error(), "tensor 'norm' is declared twice");
}

TEST_F(VerifierTest, TensorsHaveShortNames) {
  module_.tensors[1].name = std::string(2049, 'n');
  EXPECT_EQ(Error(), "the name of tensor 1 has 2049 bytes; the most is 2048");
}

TEST_F(VerifierTest, TensorsHaveTheBytesOfTheirDims) {
  module_.tensors[1].bytes = 255;
  EXPECT_EQ(Error(), "tensor 'norm': has 255 bytes, but its dims give 256");
}

TEST_F(VerifierTest, TensorsHaveBoundedDims) {
  module_.tensors[1].dims = {-64};
  EXPECT_THAT(Error(), HasSubstr("tensor 'norm': a dim is -64"));
  module_.tensors[1].dims = {std::numeric_limits<int64_t>::max(), 2};
  EXPECT_THAT(Error(), HasSubstr("tensor 'norm': more than"));
}

TEST_F(VerifierTest, TensorsLieInAFile) {
  module_.tensors[1].file = -1;
  EXPECT_EQ(Error(), "tensor 'norm': files count from 0");
  module_.tensors[1].file = 0;
  module_.tensors[1].offset = std::numeric_limits<uint64_t>::max() - 255;
  EXPECT_EQ(Error(), "tensor 'norm': ends beyond 2^64 bytes");
  module_.tensors[1].offset -= 1;
  EXPECT_EQ(Error(), "");
}

TEST_F(VerifierTest, OperandsStandBeforeTheirUsers) {
  module_.node(6).operands = {3, 7};
  EXPECT_THAT(Error(), HasSubstr("operand 1 is not defined before it"));
  module_.node(6).operands = {6, 4};
  EXPECT_THAT(Error(), HasSubstr("operand 0 is not defined before it"));
  module_.node(6).operands = {3, -1};
  EXPECT_THAT(Error(),
              AllOf(HasSubstr("add %3, %undefined"), HasSubstr("operand 1 is not defined")));
  module_.node(6).operands = {3, module_.id_bound()};
  EXPECT_THAT(Error(), HasSubstr("operand 1 is not defined before it"));
}

TEST_F(VerifierTest, OperandsAreInTheOrder) {
  std::vector<NodeId> order = module_.order();
  std::erase(order, 6);
  module_.SetOrder(order);
  EXPECT_THAT(Error(), HasSubstr("operand 0 is not defined before it"));
}

TEST_F(VerifierTest, NodesStandOnce) {
  std::vector<NodeId> order = module_.order();
  order.push_back(6);
  module_.SetOrder(order);
  EXPECT_THAT(Error(), HasSubstr("stands twice in the order"));
}

TEST_F(VerifierTest, NodesAreBounded) {
  while (module_.order().size() < kMaxNodes) module_.Append(module_.node(7));
  EXPECT_EQ(Error(), "");
  module_.Append(module_.node(7));
  EXPECT_EQ(Error(), "a module of 131073 nodes; the most is 131072");
}

// Each line stacks the one before twice: the 24th is of 2^24 weights, which took passes 14 s. Of
// some thousand weights in a stack, and as many uses of it, what passes say took gigabytes.
TEST(Verifier, StacksAreBounded) {
  const auto error = [](int lines) {
    std::string text = R"(module "m" { tensor "w" : f32[1,8] {file=0, offset=0}
      %0 = input {name="tokens"} : i32[T]
      %1 = weight {tensor="w"} : f32[1,8]
)";
    for (int i = 0; i < lines; ++i)
      absl::StrAppend(&text, "%", i + 2, " = concat %", i + 1, ", %", i + 1, " : f32[",
                      int64_t{2} << i, ",8]\n");
    absl::StrAppend(&text, "%", lines + 2, " = embed %0, %", lines + 1, " : f32[T,8] return %",
                    lines + 2, "}");
    return std::string(Parse(text).status().message());
  };
  EXPECT_EQ(error(4), "");
  EXPECT_THAT(error(5), HasSubstr("stacks 32 weights, those of its parts counted, more than 16"));
  EXPECT_THAT(error(40), HasSubstr("stacks 32 weights"));
}

// What passes read of a node without asking.
TEST_F(VerifierTest, PlacesAreWholeAndOnlyAttentionHasSlices) {
  module_.node(7).Set(Attr::kSpace, std::string("arena"));
  EXPECT_THAT(Error(), HasSubstr("has not all of space, address and bytes"));
  module_.node(7).Set(Attr::kAddress, int64_t{0});
  EXPECT_THAT(Error(), HasSubstr("has not all of space, address and bytes"));
  module_.node(7).Set(Attr::kBytes, int64_t{64});
  EXPECT_EQ(Error(), "");
  module_.node(7).Set(Attr::kSlices, int64_t{1});
  EXPECT_THAT(Error(), HasSubstr("attribute 'slices' is of attention alone"));
}

// The schedule looks for a divisor of the heads: 2^34 of them took it 17 s.
TEST(Verifier, HeadsAreBounded) {
  for (const Op op : {Op::kAttention, Op::kRope, Op::kKvAppend}) {
    Module module = *Parse(ExampleOf(op));
    module.node(module.order().back()).Set(Attr::kHeads, int64_t{65'537});
    EXPECT_THAT(Verify(module).message(), HasSubstr("heads=65537 is above 65536"));
  }
}

TEST_F(VerifierTest, ArityIsTheTables) {
  module_.node(7).operands = {6, 3, 3};
  EXPECT_THAT(Error(), HasSubstr("add has 3 operands, not 2"));
  module_.node(7) = {.op = Op::kConcat, .operands = {4}, .type = module_.node(4).type};
  EXPECT_THAT(Error(), HasSubstr("concat has 1 operands, not 2 or more"));
  module_.node(7) = {.op = Op::kInput, .operands = {4}};
  EXPECT_THAT(Error(), HasSubstr("input has 1 operands, not 0"));
}

TEST_F(VerifierTest, RequiredAttributesAreThere) {
  for (const OpInfo& info : AllOps()) {
    const Module example = *Parse(ExampleOf(info.op));
    for (Attr attr : info.required) {
      Module module = example;
      module.node(module.order().back()).Remove(attr);
      EXPECT_THAT(Verify(module).message(),
                  HasSubstr("lacks the attribute '" + std::string(Name(attr)) + "'"))
          << info.name;
    }
  }
}

TEST_F(VerifierTest, OtherAttributesAreNot) {
  for (const OpInfo& info : AllOps()) {
    Module module = *Parse(ExampleOf(info.op));
    const Attr foreign = info.op == Op::kSoftcap ? Attr::kValue : Attr::kCap;
    module.node(module.order().back()).Set(foreign, 1.0);
    EXPECT_THAT(Verify(module).message(), HasSubstr("has no attribute '"));
  }
}

TEST_F(VerifierTest, AttributesAreOfTheirKind) {
  module_.node(7).attrs = {{Attr::kUnits, 1.0}};
  EXPECT_THAT(Error(), HasSubstr("attribute 'units' must be of kind int"));
}

TEST_F(VerifierTest, TypesAreThoseOfInference) {
  module_.node(7).type.dims[1] = 63;
  EXPECT_THAT(Error(), HasSubstr("has type f32[T,63], but its operands give f32[T,64]"));
  module_.node(7).type = module_.node(6).type;
  module_.node(7).type.dtype = DataType::kF16;
  EXPECT_THAT(Error(), HasSubstr("has type f16[T,64]"));
  module_.node(7).type = module_.node(6).type;
  module_.node(7).type.layout = Layout::kPanels16;
  EXPECT_THAT(Error(), HasSubstr("has type f32[T,64]{panels16}"));
}

TEST_F(VerifierTest, OutputsExist) {
  module_.outputs = {7, 8};
  EXPECT_EQ(Error(), "output 1 is not defined");
  module_.outputs = {-1};
  EXPECT_EQ(Error(), "output 0 is not defined");
  module_.outputs.clear();
  EXPECT_EQ(Error(), "a module returns at least one value");
  module_.outputs = {7};
  std::vector<NodeId> order = module_.order();
  std::erase(order, 7);
  module_.SetOrder(order);
  EXPECT_EQ(Error(), "output 0 is not defined");
}

}  // namespace
}  // namespace weft::ir
