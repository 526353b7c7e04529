#include "runtime/plan/choose_target.h"

#include <absl/strings/str_cat.h>

#include <bit>
#include <optional>
#include <string>

namespace weft {
namespace {

using Target = PlanMetadata::Target;

// Features by name; bits of a later weft have none here.
std::string NamesOf(CpuFeatures features) {
  std::string names = features.ToString();
  constexpr uint64_t kKnown = 0
#define WEFT_BIT(id, name) | (uint64_t{1} << static_cast<int>(CpuFeature::id))
      WEFT_CPU_FEATURES(WEFT_BIT)
#undef WEFT_BIT
      ;
  if ((features.mask() & ~kKnown) != 0) {
    absl::StrAppend(&names, names.empty() ? "" : ",", "some that only a newer weft knows");
  }
  return names;
}

}  // namespace

absl::StatusOr<size_t> ChooseTarget(const PlanMetadata& metadata, absl::string_view wanted,
                                    CpuFeatures cpu, absl::string_view name) {
  const bool any = wanted.empty() || wanted == "host";
  std::optional<size_t> best;
  std::string lacking;
  bool known = false;
  for (size_t i = 0; i < metadata.targets.size(); ++i) {
    const Target& target = metadata.targets[i];
    if (!any && target.name != wanted) continue;
    known = true;
    const CpuFeatures missing = target.cpu_features.Without(cpu);
    if (missing == CpuFeatures()) {
      const auto richness = [&](size_t index) {
        return std::popcount(metadata.targets[index].cpu_features.mask());
      };
      if (!best || richness(i) > richness(*best)) best = i;
      continue;
    }
    absl::StrAppend(&lacking, lacking.empty() ? "" : "; ", "for ", target.name,
                    " and needs CPU features that this machine lacks: ", NamesOf(missing));
  }
  if (best) return *best;
  if (!known) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": the plan holds no machine code for '",
                                                   wanted,
                                                   "'; it is for: ", TargetNames(metadata)));
  }
  const bool can_run_v3 = cpu.Includes(CpuFeatures::X86_64_V3());
  return absl::FailedPreconditionError(
      absl::StrCat(name, ": the plan is ", lacking,
                   can_run_v3 ? "; compile the model again with --target x86-64-v3"
                              : "; Weft needs at least AVX2, FMA and F16C (x86-64-v3)"));
}

}  // namespace weft
