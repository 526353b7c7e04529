// That the emitted instructions are those meant: a kernel that lost its vectors is slow, not wrong,
// and no other test would see it.
#include "codegen/compiler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tuple>

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "ir/text.h"

namespace weft::codegen {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr char kModule[] = R"(module "m" {
  tensor "w" : f32[64,96] {file=0, offset=0}
  %0 = input {name="x"} : f32[T,96]
  %1 = quantize %0 {partition="tokens", units=1, stride=128} : q8a[T,96]
  %2 = weight {tensor="w"} : f32[64,96]
  %3 = pack %2 {format="FORMAT", layout="panels16"} : FORMAT[64,96]{panels16}
  %4 = matmul INPUT, %3 {partition="panels", units=4, stride=256} : f32[T,64]
  return %4
})";

Kernel MatmulKernel(const std::string& format, const Target& target) {
  const std::string text =
      absl::StrReplaceAll(kModule, {{"FORMAT", format}, {"INPUT", format == "f32" ? "%0" : "%1"}});
  ir::Module module = *ir::ParseWithoutVerifying(text);
  module.node(0).Set(ir::Attr::kStride, int64_t{384});
  const KernelSpec spec = MakeSpec(module, module.node(4), 1);
  return {spec.BaseName(), spec, *ChooseEmitter(spec, target)};
}

std::string Assembly(const std::string& format, const std::string& target_name) {
  const Target target = *ParseTarget(target_name, CpuFeatures());
  const Kernel kernel = MatmulKernel(format, target);
  return *CompileToAssembly(absl::MakeConstSpan(&kernel, 1), target);
}

TEST(Compiler, F32MatmulsUseFmaOnWholeRegisters) {
  const std::string avx2 = Assembly("f32", "x86-64-v3");
  EXPECT_THAT(avx2, HasSubstr("vfmadd"));
  EXPECT_THAT(avx2, HasSubstr("%ymm"));
  EXPECT_THAT(avx2, Not(HasSubstr("%zmm")));
  const std::string avx512 = Assembly("f32", "avx512-vnni");
  EXPECT_THAT(avx512, HasSubstr("vfmadd"));
  EXPECT_THAT(avx512, HasSubstr("%zmm"));
}

TEST(Compiler, Q8_0MatmulsUseTheByteInstructions) {
  const std::string avx2 = Assembly("q8_0", "x86-64-v3");
  for (const char* instruction : {"vpmaddubsw", "vpmaddwd", "vpsignb", "vpabsb", "vcvtph2ps"})
    EXPECT_THAT(avx2, HasSubstr(instruction));
  const std::string avx512 = Assembly("q8_0", "avx512-vnni");
  EXPECT_THAT(avx512, HasSubstr("vpdpbusd"));
  EXPECT_THAT(avx512, HasSubstr("%zmm"));
  EXPECT_THAT(avx512, Not(HasSubstr("vpmaddubsw")));
  const std::string avx = Assembly("q8_0", "avx-vnni");
  EXPECT_THAT(avx, HasSubstr("{vex}\tvpdpbusd"));
  EXPECT_THAT(avx, Not(HasSubstr("%zmm")));
  const std::string amx = Assembly("q8_0", "amx-int8");
  for (const char* instruction :
       {"ldtilecfg", "tileloadd", "tdpbssd", "tilestored", "tilerelease", "vpdpbusd"})
    EXPECT_THAT(amx, HasSubstr(instruction));
}

// Two panels of six tokens, and what they are multiplied with, fit the registers: in the loop over
// the groups of a block nothing is spilled.
TEST(Compiler, TheInnerLoopsOfManyTokensDoNotSpill) {
  for (const auto& [target, product, products] :
       {std::tuple("x86-64-v3", "vpmaddwd", 12), std::tuple("avx-vnni", "vpdpbusd", 12),
        std::tuple("avx512-vnni", "vpdpbusd", 12)}) {
    int most = 0;
    int count = 0;
    bool spills = false;
    bool most_spills = true;
    for (const absl::string_view line : absl::StrSplit(Assembly("q8_0", target), '\n')) {
      if (absl::StrContains(line, product)) ++count;
      if (absl::StrContains(line, "(%rsp)") && absl::StrContains(line, "vmov")) spills = true;
      const bool jump = absl::StartsWith(line, "\tj");
      if (jump && count >= most) {
        most = count;
        most_spills = spills;
      }
      if (jump || absl::EndsWith(line, ":")) {  // a basic block ends
        count = 0;
        spills = false;
      }
    }
    EXPECT_GE(most, products) << target;
    EXPECT_FALSE(most_spills) << target;
  }
}

TEST(Compiler, NoEstimatesAndNoCalls) {
  for (const std::string& target : KnownTargets()) {
    for (const char* format : {"f32", "q8_0"}) {
      const std::string assembly = Assembly(format, target);
      for (const char* instruction : {"vrcp", "vrsqrt", "call"})
        EXPECT_THAT(assembly, Not(HasSubstr(instruction))) << target;
    }
  }
}

TEST(Compiler, LlvmTextHasTheKernelAndNoFastMath) {
  const Target target = *ParseTarget("x86-64-v3", CpuFeatures());
  const Kernel kernel = MatmulKernel("f32", target);
  const std::string text = *CompileToLlvm(absl::MakeConstSpan(&kernel, 1), target);
  EXPECT_THAT(text, HasSubstr("define void @matmul_f32_64x96"));
  for (const char* flag : {" fast ", " contract ", " reassoc "})
    EXPECT_THAT(text, Not(HasSubstr(flag)));
}

TEST(Compiler, ObjectsAreElfAndRepeat) {
  const Target target = *ParseTarget("avx512-vnni", CpuFeatures());
  const Kernel kernel = MatmulKernel("q8_0", target);
  const auto first = CompileToObject(absl::MakeConstSpan(&kernel, 1), target);
  ASSERT_TRUE(first.ok());
  ASSERT_GT(first->size(), 64U);
  EXPECT_EQ(std::string(first->begin(), first->begin() + 4),
            "\x7f"
            "ELF");
  EXPECT_EQ(*first, *CompileToObject(absl::MakeConstSpan(&kernel, 1), target));
}

}  // namespace
}  // namespace weft::codegen
