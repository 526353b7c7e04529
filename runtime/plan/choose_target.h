// Which of a plan's machine codes to run.
#pragma once

#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

#include <cstddef>

#include "runtime/base/cpu.h"
#include "runtime/plan/plan_metadata.h"

namespace weft {

// The index of the target of `metadata` to run on `cpu`: the one called `wanted`; where that is
// empty or "host", the one with the most features among those that `cpu` executes, whatever their
// order. Errors open with `name`, the plan's: no target of that name (they list those there are),
// or none that can run here (they list what each lacks, and say how to recompile).
absl::StatusOr<size_t> ChooseTarget(const PlanMetadata& metadata, absl::string_view wanted,
                                    CpuFeatures cpu, absl::string_view name);

}  // namespace weft
