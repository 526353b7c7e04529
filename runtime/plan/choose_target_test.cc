#include "runtime/plan/choose_target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

namespace weft {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

CpuFeatures V3With(std::initializer_list<CpuFeature> more) {
  CpuFeatures features = CpuFeatures::X86_64_V3();
  for (const CpuFeature feature : more) features.Add(feature);
  return features;
}

const CpuFeatures kV3 = CpuFeatures::X86_64_V3();
const CpuFeatures kAvxVnni = V3With({CpuFeature::kAvxVnni});
const CpuFeatures kAvx512 =
    V3With({CpuFeature::kAvx512f, CpuFeature::kAvx512bw, CpuFeature::kAvx512vnni});

PlanMetadata Plan(std::vector<PlanMetadata::Target> targets) {
  PlanMetadata metadata;
  metadata.targets = std::move(targets);
  return metadata;
}

std::string Error(const PlanMetadata& metadata, absl::string_view wanted, CpuFeatures cpu) {
  return std::string(ChooseTarget(metadata, wanted, cpu, "p.weft").status().message());
}

TEST(ChooseTarget, TheRichestThatRunsHereInAnyOrder) {
  const PlanMetadata up = Plan({{"v3", kV3}, {"vnni", kAvxVnni}, {"avx512", kAvx512}});
  const PlanMetadata down = Plan({{"avx512", kAvx512}, {"vnni", kAvxVnni}, {"v3", kV3}});
  struct Case {
    CpuFeatures cpu;
    const char* name;
  };
  for (const Case& c : {Case{kV3, "v3"}, Case{kAvxVnni, "vnni"}, Case{kAvx512, "avx512"},
                        Case{CpuFeatures(~uint64_t{0}), "avx512"}}) {
    for (const PlanMetadata& plan : {up, down}) {
      for (const char* any : {"", "host"}) {
        const auto chosen = ChooseTarget(plan, any, c.cpu, "p.weft");
        ASSERT_TRUE(chosen.ok()) << chosen.status();
        EXPECT_EQ(plan.targets[*chosen].name, c.name);
      }
    }
  }
}

TEST(ChooseTarget, TheOneThatIsNamed) {
  const PlanMetadata plan = Plan({{"v3", kV3}, {"avx512", kAvx512}});
  EXPECT_EQ(*ChooseTarget(plan, "v3", kAvx512, "p.weft"), 0u);
  EXPECT_EQ(Error(plan, "amx", kAvx512),
            "p.weft: the plan holds no machine code for 'amx'; it is for: v3, avx512");
  EXPECT_THAT(Error(plan, "avx512", kV3),
              AllOf(HasSubstr("p.weft: the plan is for avx512 and needs CPU features that this "
                              "machine lacks: avx512f,avx512bw,avx512vnni; compile"),
                    Not(HasSubstr("v3 and"))));
}

TEST(ChooseTarget, NoneThatRunsHere) {
  const PlanMetadata plan = Plan({{"vnni", kAvxVnni}, {"avx512", kAvx512}});
  EXPECT_THAT(Error(plan, "", kV3),
              AllOf(HasSubstr("for vnni and needs CPU features that this machine lacks: avxvnni; "),
                    HasSubstr("for avx512 and needs CPU features that this machine lacks: avx512f"),
                    HasSubstr("compile the model again with --target x86-64-v3")));
  EXPECT_THAT(Error(Plan({{"v3", kV3}}), "", CpuFeatures()),
              AllOf(HasSubstr("lacks: popcnt,"), HasSubstr("Weft needs at least AVX2")));
}

TEST(ChooseTarget, FeaturesOfALaterWeft) {
  const CpuFeatures later(kV3.mask() | uint64_t{1} << 63);
  EXPECT_EQ(*ChooseTarget(Plan({{"later", later}, {"v3", kV3}}), "", kV3, "p.weft"), 1u);
  EXPECT_THAT(Error(Plan({{"later", later}}), "", kV3), HasSubstr("only a newer weft knows"));
}

}  // namespace
}  // namespace weft
