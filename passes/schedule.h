// Before: weights are packed.
// After: every step has `partition`, `units` and `grain`, attention `unit_rows` and `slices` too;
// every slice is a view of a value that is none (all kernels read rows that are strided). After
// pack-layout, whose panels are the units of a matmul; before plan-memory, since views need no
// memory.
//
// Who computes a unit is decided while running; what a unit is, here. So results do not depend on
// the number of workers.
#pragma once

#include "absl/status/status.h"
#include "ir/module.h"
#include "passes/options.h"

namespace weft::passes {

absl::Status Schedule(ir::Module* module, const PassOptions& options, bool* changed);

// Attributes that schedule gives a step.
struct StepPartition {
  absl::string_view partition;
  int64_t units = 1;
  int64_t grain = 1;
  int64_t unit_rows = 1;
  int64_t slices = 1;
  bool operator==(const StepPartition&) const = default;
};
absl::StatusOr<StepPartition> PartitionOf(const ir::Module& module, const ir::Node& step);

}  // namespace weft::passes
