#include "codegen/arithmetic_peak.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "codegen/jit.h"
#include "codegen/kernel_harness.h"

namespace weft::codegen {
namespace {

// How often `instruction` stands in the assembly of a kernel.
int Count(const NamedEmission& kernel, const Target& target, const std::string& instruction) {
  const auto text = CompileToAssembly(absl::MakeConstSpan(&kernel, 1), target);
  EXPECT_TRUE(text.ok()) << text.status();
  int count = 0;
  const std::string word = absl::StrCat("\t", instruction);
  for (size_t at = text->find(word); at != std::string::npos; at = text->find(word, at + 1))
    ++count;
  return count;
}

TEST(ArithmeticPeakTest, TheLoopIsTheTiersProductAndNothingLeavesIt) {
  const CpuFeatures cpu = DetectCpuFeatures();
  const auto q8 = ArithmeticPeak(DataType::kQ8_0);
  const auto f32 = ArithmeticPeak(DataType::kF32);
  EXPECT_EQ(Count(q8, *ParseTarget("x86-64-v3", cpu), "vpmaddwd"), 12);
  EXPECT_EQ(Count(q8, *ParseTarget("avx-vnni", cpu), "vpdpbusd"), 12);
  EXPECT_EQ(Count(q8, *ParseTarget("avx512-vnni", cpu), "vpdpbusd"), 12);
  for (const std::string& name : KnownTargets())
    EXPECT_EQ(Count(f32, *ParseTarget(name, cpu), "vfmadd"), 12) << name;
}

TEST(ArithmeticPeakTest, KernelsRun) {
  const std::vector<NamedEmission> peaks = {ArithmeticPeak(DataType::kQ8_0),
                                            ArithmeticPeak(DataType::kF32)};
  const Target target = *ParseTarget("x86-64-v3", DetectCpuFeatures());
  const auto jit = Jit::Load(*CompileToObject(absl::MakeConstSpan(peaks), target));
  ASSERT_TRUE(jit.ok()) << jit.status();
  for (const NamedEmission& peak : peaks) {
    alignas(64) uint8_t memory[64] = {};
    void* operands[] = {memory};
    const KernelContext context{};
    (*(*jit)->Lookup(peak.name))(&context, operands, 0, 1);
  }
}

}  // namespace
}  // namespace weft::codegen
