#include "codegen/target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft::codegen {
namespace {

using testing::HasSubstr;

CpuFeatures Of(const Target& target) { return target.required; }

Target Parse(absl::string_view name) { return *ParseTarget(name, CpuFeatures()); }

TEST(Target, HostTakesTheBestTierThatTheCpuExecutes) {
  EXPECT_EQ(ParseTarget("host", Of(Parse("x86-64-v3")))->tier, Tier::kAvx2);
  EXPECT_EQ(ParseTarget("host", Of(Parse("avx512-vnni")))->tier, Tier::kAvx512Vnni);
}

// Each feature taken away from a CPU that has all others of the tier.
TEST(Target, EveryMissingFeatureIsNamed) {
  for (const std::string& name : KnownTargets()) {
    const Target target = Parse(name);
    EXPECT_TRUE(CheckExecutable(target, Of(target)).ok());
#define WEFT_CASE(id, text)                                                                   \
  if (target.required.Has(CpuFeature::id)) {                                                  \
    CpuFeatures fewer;                                                                        \
    for (int bit = 0; bit < 64; ++bit) {                                                      \
      const auto feature = static_cast<CpuFeature>(bit);                                      \
      if (target.required.Has(feature) && feature != CpuFeature::id) fewer.Add(feature);      \
    }                                                                                         \
    EXPECT_THAT(CheckExecutable(target, fewer).ToString(), HasSubstr(text)) << target.name;   \
    EXPECT_NE(ParseTarget("host", fewer).ok() ? ParseTarget("host", fewer)->name : "", name); \
  }
    WEFT_CPU_FEATURES(WEFT_CASE)
#undef WEFT_CASE
  }
}

TEST(Target, UnknownNamesListTheKnown) {
  const std::string message = ParseTarget("z80", CpuFeatures()).status().ToString();
  for (const std::string& name : KnownTargets()) EXPECT_THAT(message, HasSubstr(name));
}

TEST(Target, TheEmulatedTierNeedsNoMoreThanAvx2) {
  EXPECT_TRUE(CheckExecutable(EmulatedAvx512Vnni(), Of(Parse("x86-64-v3"))).ok());
  EXPECT_EQ(EmulatedAvx512Vnni().tier, Tier::kAvx512Vnni);
}

}  // namespace
}  // namespace weft::codegen
