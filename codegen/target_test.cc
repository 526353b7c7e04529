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
  EXPECT_EQ(ParseTarget("host", Of(Parse("avx-vnni")))->tier, Tier::kAvxVnni);
  EXPECT_EQ(ParseTarget("host", Of(Parse("avx512-vnni")))->tier, Tier::kAvx512Vnni);
  EXPECT_EQ(ParseTarget("host", Of(Parse("amx-int8")))->tier, Tier::kAmxInt8);
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

TEST(Target, EmulatedTiersNeedNoMoreThanAvx2) {
  std::vector<Tier> tiers = {Tier::kAvx2};
  for (const Target& target : EmulatedTargets()) {
    EXPECT_TRUE(CheckExecutable(target, Of(Parse("x86-64-v3"))).ok()) << target.name;
    tiers.push_back(target.tier);
  }
  EXPECT_THAT(tiers,
              testing::ElementsAre(Tier::kAvx2, Tier::kAvxVnni, Tier::kAvx512Vnni, Tier::kAmxInt8));
}

}  // namespace
}  // namespace weft::codegen
