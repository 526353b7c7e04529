// Plans of released format versions, as they were written then: tests/frozen/v4/MODEL.weft is the
// plan of tests/oracle/tiny/MODEL in version 4 (scripts/freeze-plan writes it). This weft runs
// those of its own version and refuses all others in words that help.
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "runtime/c/weft.hpp"
#include "runtime/plan/plan.h"
#include "tests/plan_goldens.h"

namespace weft {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr char kFrozen[] = "tests/frozen";

struct FrozenPlan {
  std::string path;
  std::string model;
  uint32_t version = 0;
};

std::vector<FrozenPlan> FrozenPlans(bool of_this_version) {
  std::vector<FrozenPlan> plans;
  std::error_code none;  // the folder comes with the first release
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kFrozen, none)) {
    const std::filesystem::path& path = entry.path();
    if (path.extension() != ".weft") continue;
    FrozenPlan plan{path.string(), path.stem().string()};
    const std::string folder = path.parent_path().filename().string();
    EXPECT_TRUE(folder.starts_with("v") && absl::SimpleAtoi(folder.substr(1), &plan.version))
        << plan.path << " is not in a folder named like v4";
    if ((plan.version == kPlanFormatVersion) == of_this_version) plans.push_back(std::move(plan));
  }
  std::ranges::sort(plans, {}, &FrozenPlan::path);
  return plans;
}

TEST(FrozenPlans, ThoseOfThisVersionGiveTheGoldens) {
  const std::vector<FrozenPlan> plans = FrozenPlans(/*of_this_version=*/true);
  if (plans.empty()) GTEST_SKIP() << "no plan of version " << kPlanFormatVersion << " is frozen";
  setenv("XDG_CACHE_HOME", testing::TempDir().c_str(), /*overwrite=*/1);  // for machine code
  for (const FrozenPlan& frozen : plans) {
    SCOPED_TRACE(frozen.path);
    const runtime::Plan plan(frozen.path);
    EXPECT_EQ(plan.target(), "x86-64-v3");
    ExpectGoldens(plan, frozen.model);
  }
}

TEST(FrozenPlans, ThoseOfOtherVersionsAreRefused) {
  const std::vector<FrozenPlan> plans = FrozenPlans(/*of_this_version=*/false);
  EXPECT_FALSE(plans.empty());
  for (const FrozenPlan& frozen : plans) {
    const absl::Status status = Plan::Open(frozen.path).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr(frozen.path),
                      HasSubstr(absl::StrCat("plan format version at byte 8 is ", frozen.version)),
                      HasSubstr(absl::StrCat("this weft reads version ", kPlanFormatVersion)),
                      HasSubstr("compile the model again")));
  }
}

}  // namespace
}  // namespace weft
