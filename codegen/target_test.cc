#include "codegen/target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft::codegen {
namespace {

using testing::ElementsAre;
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

TEST(Target, ListsNameEachOnce) {
  const auto names = [](absl::string_view list) {
    std::vector<std::string> names;
    const auto targets = ParseTargets(list, Of(Parse("avx-vnni")));
    if (!targets.ok()) return std::vector<std::string>{targets.status().ToString()};
    for (const Target& target : *targets) names.push_back(target.name);
    return names;
  };
  EXPECT_THAT(names("amx-int8,x86-64-v3"), ElementsAre("amx-int8", "x86-64-v3"));
  EXPECT_THAT(names("host,x86-64-v3,avx-vnni,host"), ElementsAre("avx-vnni", "x86-64-v3"));
  EXPECT_THAT(names("host"), ElementsAre("avx-vnni"));
  for (const char* wrong : {"", "host,", "host,z80"})
    EXPECT_THAT(names(wrong), ElementsAre(HasSubstr("unknown target"))) << wrong;
  EXPECT_THAT(ParseTarget("host,x86-64-v3", CpuFeatures()).status().ToString(),
              HasSubstr("not the list 'host,x86-64-v3'"));
}

TEST(Target, EmulatedTiersNeedNoMoreThanAvx2) {
  std::vector<Tier> tiers = {Tier::kAvx2};
  for (const Target& target : EmulatedTargets()) {
    EXPECT_TRUE(CheckExecutable(target, Of(Parse("x86-64-v3"))).ok()) << target.name;
    tiers.push_back(target.tier);
  }
  EXPECT_THAT(tiers, ElementsAre(Tier::kAvx2, Tier::kAvxVnni, Tier::kAvx512Vnni, Tier::kAmxInt8));
}

}  // namespace
}  // namespace weft::codegen
