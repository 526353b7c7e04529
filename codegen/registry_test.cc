#include "codegen/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft::codegen {
namespace {

using testing::HasSubstr;

KernelSpec Matmul(DataType weights, ir::Layout layout) {
  KernelSpec spec{.node = {.op = ir::Op::kMatmul}};
  const ir::Dim rows = ir::Symbol::kTokens;
  spec.operands = {{{DataType::kF32, {rows, 32}}, 128},
                   {{weights, {16, 32}, layout}, 0},
                   {{DataType::kF32, {rows, 16}}, 64}};
  spec.node.type = spec.operands[2].type;
  return spec;
}

const Target kTarget = *ParseTarget("x86-64-v3", CpuFeatures());

TEST(Registry, PackedMatmulsHaveAnEmitter) {
  for (DataType format : {DataType::kF32, DataType::kQ8_0}) {
    const auto choice = ChooseEmitter(Matmul(format, ir::Layout::kPanels16), kTarget);
    ASSERT_TRUE(choice.ok()) << choice.status();
    EXPECT_EQ(choice->emitter->name, "matmul-panels16");
    EXPECT_TRUE(choice->refusals.empty());
  }
}

TEST(Registry, RefusalsSayWhy) {
  const auto rows = ChooseEmitter(Matmul(DataType::kF32, ir::Layout::kRows), kTarget);
  EXPECT_THAT(rows.status().ToString(), HasSubstr("f32[16,32] are not packed in panels16"));
  const auto raw = ChooseEmitter(Matmul(DataType::kQ4_1, ir::Layout::kPanels16), kTarget);
  EXPECT_THAT(raw.status().ToString(), HasSubstr("q4_1"));
  KernelSpec spec = Matmul(DataType::kF32, ir::Layout::kPanels16);
  spec.node.Set(ir::Attr::kEpilogue, std::vector<std::string>{"gated_silu"});
  EXPECT_THAT(ChooseEmitter(spec, kTarget).status().ToString(),
              HasSubstr("f32[16,32]{panels16} are not packed in panels16x2"));
  spec.node.Set(ir::Attr::kEpilogue, std::vector<std::string>{"quantize"});
  EXPECT_THAT(ChooseEmitter(spec, kTarget).status().ToString(),
              HasSubstr("make no whole blocks of 32 outputs"));
}

TEST(Registry, OpsThatAreNoStepsHaveNone) {
  KernelSpec spec{.node = {.op = ir::Op::kPack}};
  EXPECT_THAT(ChooseEmitter(spec, kTarget).status().ToString(), HasSubstr("no emitter for the op"));
}

}  // namespace
}  // namespace weft::codegen
