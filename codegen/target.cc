#include "codegen/target.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace weft::codegen {
namespace {

// What LLVM's cpu and features below let it emit, so what must be there.
CpuFeatures Required(Tier tier) {
  CpuFeatures features;
  for (CpuFeature feature : {CpuFeature::kPopcnt, CpuFeature::kMovbe, CpuFeature::kLzcnt,
                             CpuFeature::kBmi, CpuFeature::kBmi2, CpuFeature::kAvx,
                             CpuFeature::kAvx2, CpuFeature::kFma, CpuFeature::kF16c}) {
    features.Add(feature);
  }
  if (tier == Tier::kAvx2) return features;
  if (tier == Tier::kAvxVnni) {
    features.Add(CpuFeature::kAvxVnni);
    return features;
  }
  for (CpuFeature feature :
       {CpuFeature::kAvx512f, CpuFeature::kAvx512cd, CpuFeature::kAvx512bw, CpuFeature::kAvx512dq,
        CpuFeature::kAvx512vl, CpuFeature::kAvx512vnni}) {
    features.Add(feature);
  }
  if (tier == Tier::kAmxInt8) {
    features.Add(CpuFeature::kAmxTile);
    features.Add(CpuFeature::kAmxInt8);
  }
  return features;
}

const std::vector<Target>& Tiers() {
  static const auto* const kTiers = new std::vector<Target>{
      {Tier::kAvx2, "x86-64-v3", "x86-64-v3", "", Required(Tier::kAvx2), 256},
      {Tier::kAvxVnni, "avx-vnni", "x86-64-v3", "+avxvnni", Required(Tier::kAvxVnni), 256},
      {Tier::kAvx512Vnni, "avx512-vnni", "x86-64-v4", "+avx512vnni", Required(Tier::kAvx512Vnni),
       512},
      {Tier::kAmxInt8, "amx-int8", "x86-64-v4", "+avx512vnni,+amx-tile,+amx-int8",
       Required(Tier::kAmxInt8), 512},
  };
  return *kTiers;
}

std::vector<std::string> Missing(const Target& target, const CpuFeatures& cpu) {
  std::vector<std::string> missing;
#define WEFT_CASE(id, text) \
  if (target.required.Has(CpuFeature::id) && !cpu.Has(CpuFeature::id)) missing.emplace_back(text);
  WEFT_CPU_FEATURES(WEFT_CASE)
#undef WEFT_CASE
  return missing;
}

}  // namespace

std::vector<std::string> KnownTargets() {
  std::vector<std::string> names;
  for (const Target& tier : Tiers()) names.push_back(tier.name);
  return names;
}

absl::StatusOr<Target> ParseTarget(absl::string_view name, const CpuFeatures& cpu) {
  if (name == "host") {
    const Target* best = nullptr;
    for (const Target& tier : Tiers()) {
      if (Missing(tier, cpu).empty()) best = &tier;
    }
    if (best != nullptr) return *best;
    return CheckExecutable(Tiers().front(), cpu);
  }
  for (const Target& tier : Tiers()) {
    if (tier.name == name) return tier;
  }
  if (absl::StrContains(name, ',')) {
    return absl::InvalidArgumentError(
        absl::StrCat("one target is wanted here, not the list '", name, "'"));
  }
  return absl::InvalidArgumentError(absl::StrCat("unknown target '", name, "'; known: host, ",
                                                 absl::StrJoin(KnownTargets(), ", ")));
}

absl::StatusOr<std::vector<Target>> ParseTargets(absl::string_view names, const CpuFeatures& cpu) {
  std::vector<Target> targets;
  for (const absl::string_view name : absl::StrSplit(names, ',')) {
    absl::StatusOr<Target> target = ParseTarget(name, cpu);
    if (!target.ok()) return target.status();
    const auto same = [&](const Target& other) { return other.tier == target->tier; };
    if (std::ranges::none_of(targets, same)) targets.push_back(*std::move(target));
  }
  return targets;
}

std::vector<Target> EmulatedTargets() {
  std::vector<Target> targets;
  for (const Target& tier : Tiers()) {
    if (tier.tier == Tier::kAvx2) continue;
    Target target = Tiers()[0];
    target.tier = tier.tier;
    target.name = absl::StrCat(tier.name, " (emulated)");
    target.emulated = true;
    targets.push_back(std::move(target));
  }
  return targets;
}

absl::Status CheckExecutable(const Target& target, const CpuFeatures& cpu) {
  const std::vector<std::string> missing = Missing(target, cpu);
  if (missing.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "target ", target.name,
      " needs CPU features that this machine lacks: ", absl::StrJoin(missing, ", "),
      target.tier == Tier::kAvx2 ? "; Weft needs at least AVX2, FMA and F16C (x86-64-v3)"
                                 : "; compile again with --target x86-64-v3"));
}

}  // namespace weft::codegen
