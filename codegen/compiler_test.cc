// That the emitted instructions are those meant: a kernel that lost its vectors is slow, not wrong,
// and no other test would see it.
#include "codegen/compiler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tuple>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
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

struct InnerLoop {
  int64_t multiply_adds = 0;  // lines that name the instruction
  bool spills = false;        // a vector is stored on the stack; constants may be read from there
};

// Loops without a branch inside: from a label to a jump back to it.
std::vector<InnerLoop> InnerLoops(const std::string& assembly, const char* instruction) {
  std::vector<InnerLoop> loops;
  std::string label;
  InnerLoop loop;
  for (absl::string_view line : absl::StrSplit(assembly, '\n')) {
    if (absl::StartsWith(line, ".LBB")) {
      label = std::string(line.substr(0, line.find(':')));
      loop = {};
    }
    if (absl::StrContains(line, instruction)) ++loop.multiply_adds;
    if (absl::StrContains(line, "vmov") && absl::EndsWith(line, "(%rsp)")) loop.spills = true;
    if (!absl::StartsWith(line, "\tj")) continue;
    if (absl::EndsWith(line, absl::StrCat("\t", label))) loops.push_back(loop);
    label.clear();
  }
  return loops;
}

// Twelve sums of tokens and panels, and what they are made of, stay in registers.
// Columns that are cut once, and often; a group has the most panels just above the cut. Parts of
// both formats, and twice one of them, share their memory.
TEST(Compiler, MatmulsFitTheStackWhateverTheirSize) {
  for (const char* columns : {"1536", "1568", "3100", "4096", "14336", "53248"}) {
    ir::Module module = *ir::ParseWithoutVerifying(absl::StrReplaceAll(
        R"(module "m" {
      tensor "q" : f32[4096,K] {file=0, offset=0}
      %0 = input {name="x"} : f32[T,K]
      %1 = quantize %0 {partition="tokens", units=1, stride=65536} : q8a[T,K]
      %2 = weight {tensor="q"} : f32[4096,K]
      %3 = pack %2 {format="q8_0", layout="panels16"} : q8_0[4096,K]{panels16}
      %4 = pack %2 {format="f32", layout="panels16"} : f32[4096,K]{panels16}
      %5 = pack %2, %2 {format="q8_0", layout="panels16x2"} : q8_0[8192,K]{panels16x2}
      %6 = matmul %0, %1, %3, %4, %3 {weights=3, inputs=2, partition="panels", units=768, stride=49152} : f32[T,12288]
      %7 = matmul %1, %5 {epilogue=["gated_silu"], partition="panels", units=256, stride=16384} : f32[T,4096]
      return %6, %7
    })",
        {{"K", columns}}));
    module.node(0).Set(ir::Attr::kStride, int64_t{262144});
    for (const std::string& name : KnownTargets()) {
      SCOPED_TRACE(testing::Message() << columns << " columns, " << name);
      const Target target = *ParseTarget(name, CpuFeatures());
      std::vector<Kernel> kernels;
      for (const int node : {6, 7}) {
        const KernelSpec spec = MakeSpec(module, module.node(node), 1);
        kernels.push_back({spec.BaseName(), spec, *ChooseEmitter(spec, target)});
      }
      const auto compiled = CompileToAssembly(kernels, target);
      EXPECT_TRUE(compiled.ok()) << compiled.status();
    }
  }
}

TEST(Compiler, MatmulsOfManyTokensKeepTheirTilesInRegisters) {
  for (const auto& [format, target, product] :
       {std::tuple("q8_0", "x86-64-v3", "vpmaddwd"), std::tuple("q8_0", "avx-vnni", "vpdpbusd"),
        std::tuple("q8_0", "avx512-vnni", "vpdpbusd"), std::tuple("f32", "x86-64-v3", "vfmadd"),
        std::tuple("f32", "avx512-vnni", "vfmadd")}) {
    int tiles = 0;
    for (const InnerLoop& loop : InnerLoops(Assembly(format, target), product)) {
      if (loop.multiply_adds != 12) continue;
      EXPECT_FALSE(loop.spills) << format << ", " << target;
      ++tiles;
    }
    EXPECT_GE(tiles, 1) << format << ", " << target;
  }
}

std::string AttentionAssembly(const std::string& format, const std::string& target_name,
                              int heads) {
  const std::string columns = absl::StrCat(64 * heads);
  const std::string stride = absl::StrCat(256 * heads);
  const std::string text = absl::StrReplaceAll(R"(module "m" {
    %0 = input {name="q", stride=STRIDE} : f32[T,COLUMNS]
    %1 = input {name="k", stride=256} : f32[T,64]
    %2 = kv_append %1, %1 {format="FORMAT", heads=1, layer=0} : FORMAT[S,2,1,64]
    %3 = attention %0, %2 {heads=HEADS, scale=1.0, partition="token_heads", units=1, unit_rows=24, stride=STRIDE} : f32[T,COLUMNS]
    return %3
  })",
                                               {{"FORMAT", format},
                                                {"STRIDE", stride},
                                                {"COLUMNS", columns},
                                                {"HEADS", absl::StrCat(heads)}});
  const ir::Module module = *ir::ParseWithoutVerifying(text);
  const Target target = *ParseTarget(target_name, CpuFeatures());
  const KernelSpec spec = MakeSpec(module, module.node(3), 100);
  const Kernel kernel{spec.BaseName(), spec, *ChooseEmitter(spec, target)};
  return *CompileToAssembly(absl::MakeConstSpan(&kernel, 1), target);
}

// Tiles of tokens, which have 12 accumulators, and of the heads of one token.
TEST(Compiler, AttentionKeepsItsTilesInRegisters) {
  for (const std::string format : {"f32", "f16", "q8_0"}) {
    for (const char* target : {"x86-64-v3", "avx512-vnni"}) {
      for (int heads : {1, 2, 3, 4, 6, 8}) {
        SCOPED_TRACE(testing::Message() << format << ", " << target << ", " << heads << " heads");
        const std::string assembly = AttentionAssembly(format, target, heads);
        EXPECT_EQ(absl::StrContains(assembly, "vcvtph2ps"), format != "f32");
        int tiles = 0;
        for (const InnerLoop& loop : InnerLoops(assembly, "vfmadd")) {
          if (loop.multiply_adds == 0 || loop.multiply_adds > 24) continue;  // those of exp
          EXPECT_FALSE(loop.spills) << loop.multiply_adds << " multiply-adds";
          tiles += loop.multiply_adds == 12 ? 1 : 0;
        }
        EXPECT_GE(tiles, 2) << "scores and mixtures";
      }
    }
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

TEST(Compiler, ACacheGivesTheSameObjectsAndCompilesEachOnce) {
  ObjectCache cache;
  const auto objects = [&](const std::string& name, ObjectCache* from) {
    const Target target = *ParseTarget(name, CpuFeatures());
    const Kernel kernels[] = {MatmulKernel("f32", target), MatmulKernel("q8_0", target)};
    return *CompileToObject(kernels, target, from);
  };
  const std::vector<uint8_t> wide = objects("avx512-vnni", nullptr);
  EXPECT_EQ(objects("avx512-vnni", &cache), wide);
  EXPECT_EQ(cache.hits(), 0);
  // Of another target, both are others.
  EXPECT_NE(objects("x86-64-v3", &cache), wide);
  EXPECT_EQ(cache.hits(), 0);
  EXPECT_EQ(objects("avx512-vnni", &cache), wide);
  EXPECT_EQ(cache.hits(), 2);
}

TEST(Compiler, EndsWhenCancelled) {
  const Target target = *ParseTarget("avx512-vnni", CpuFeatures());
  BuiltProgram built;
  built.kernels = {MatmulKernel("q8_0", target)};
  const std::atomic<bool> cancel = true;
  EXPECT_TRUE(absl::IsCancelled(CompileToObject(built, target, &cancel).status()));
}

}  // namespace
}  // namespace weft::codegen
