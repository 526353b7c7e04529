#include "codegen/program_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/text.h"

namespace weft::codegen {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Two equal steps over a view of the first one's result, then what a program must return.
constexpr char kModule[] = R"(module "m" {
  tensor "w" : f32[64,32] {file=0, offset=0}
  %0 = input {name="tokens", space="arena", address=0, bytes=64} : i32[T]
  %1 = input {name="positions", space="arena", address=64, bytes=64} : i32[T]
  %2 = weight {tensor="w"} : f32[64,32]
  %3 = pack %2 {format="f32", layout="panels16", space="weights", address=0, bytes=8192} : f32[64,32]{panels16}
  %4 = embed %0, %3 {partition="tokens", units=1, grain=1, space="arena", address=128, stride=128, bytes=512} : f32[T,32] @ "embed"
  %5 = slice %4 {begin=8, end=24, space="arena", address=160, stride=128, bytes=448, view=true} : f32[T,16] @ "part"
  %6 = scale %5 {value=2.0, partition="tokens", units=1, grain=1, space="arena", address=640, stride=64, bytes=256} : f32[T,16] @ "a"
  %7 = scale %5 {value=2.0, partition="tokens", units=1, grain=1, space="arena", address=896, stride=64, bytes=256} : f32[T,16] @ "b"
  %8 = select_rows %4 {partition="tokens", units=1, grain=1, space="arena", address=1152, stride=128, bytes=256} : f32[L,32] @ "rows"
  %9 = matmul %8, %3 {partition="panels", units=4, grain=2, space="arena", address=1408, stride=256, bytes=512} : f32[L,64] @ "lm_head"
  %10 = argmax %9 {partition="tokens", units=1, grain=1, space="arena", address=1920, bytes=64} : i32[L] @ "best"
  return %9, %10
})";

class ProgramBuilderTest : public testing::Test {
 protected:
  ir::Module module_ = *ir::Parse(kModule);
  Target target_ = *ParseTarget("x86-64-v3", CpuFeatures());
  ProgramLimits limits_{.max_tokens = 4, .max_logit_rows = 2, .context = 16};
};

TEST_F(ProgramBuilderTest, StepsSpacesAndKernels) {
  const auto built = BuildProgram(module_, target_, limits_);
  ASSERT_TRUE(built.ok()) << built.status();
  const Program& program = built->program;
  ASSERT_EQ(program.steps.size(), 6U);
  EXPECT_EQ(program.arena_bytes, 1984U);
  EXPECT_EQ(program.weight_bytes, 8192U);
  EXPECT_EQ(program.kv_bytes, 0U);
  EXPECT_EQ(program.vocab, 64);
  EXPECT_EQ(program.logits_stride, 256U);
  EXPECT_EQ(program.positions, (OperandRef{Space::kArena, 64, 64, false}));
  EXPECT_EQ(program.steps[1].kernel, program.steps[2].kernel) << "equal steps share a kernel";
  EXPECT_EQ(built->kernels.size(), 5U);
  // The view: four rows of 16 columns, 128 bytes apart.
  EXPECT_EQ(program.steps[1].operands[0],
            (OperandRef{Space::kArena, 160, 3 * 128 + 64, false, 128}));
  const Step& matmul = program.steps[4];
  EXPECT_EQ(matmul.extent, Extent::kOne);
  EXPECT_EQ(matmul.units, 4);
  EXPECT_EQ(matmul.weight_bytes, 8192);
  EXPECT_EQ(matmul.macs_per_row, 64 * 32);
  EXPECT_EQ(program.steps[0].extent, Extent::kTokens);
  EXPECT_EQ(program.steps[5].extent, Extent::kLogitRows);
  EXPECT_TRUE(matmul.operands.back().written);
  const auto strides = [](const Step& step) {
    std::vector<uint64_t> strides;
    for (const OperandRef& operand : step.operands) strides.push_back(operand.stride);
    return strides;
  };
  EXPECT_THAT(strides(program.steps[0]), ElementsAre(0, 0, 128));  // ids, table, embeddings
  EXPECT_THAT(strides(program.steps[1]), ElementsAre(128, 64));
  EXPECT_THAT(strides(program.steps[3]), ElementsAre(0, 128)) << "L rows out of T";
  EXPECT_THAT(strides(matmul), ElementsAre(0, 0, 0)) << "units are panels, over all rows";
  EXPECT_THAT(strides(program.steps[5]), ElementsAre(256, 0)) << "a vector has no stride";
}

TEST_F(ProgramBuilderTest, PrintShowsStepsAndEmitters) {
  const BuiltProgram built = *BuildProgram(module_, target_, limits_);
  const std::string text = PrintProgram(
      built.program, built.kernels, [](size_t step) { return step == 4 ? "-- barrier\n" : ""; });
  EXPECT_THAT(text, HasSubstr("6 steps"));
  for (const std::string& name : KnownTargets()) {
    const Target target = *ParseTarget(name, CpuFeatures());
    EXPECT_EQ(BuildProgram(module_, target, limits_)->program, built.program) << name;
  }
  EXPECT_THAT(text, HasSubstr("-- barrier\n4: matmul_f32_64x32 units 4 grain 2"));
  EXPECT_THAT(text, HasSubstr("kernel matmul_f32_64x32: matmul-panels16"));
}

TEST_F(ProgramBuilderTest, OutputsThatAreNoLogitsAreRefused) {
  module_.outputs = {6};
  EXPECT_THAT(BuildProgram(module_, target_, limits_).status().ToString(), HasSubstr("logits"));
}

}  // namespace
}  // namespace weft::codegen
