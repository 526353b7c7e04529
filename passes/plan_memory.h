// Before: steps are scheduled, in the order in which they run.
// After: every value has `space`, `address` and `bytes`, and `stride` where it is a matrix of
// activations (sizes: docs/architecture.md). Values whose live ranges meet never overlap; a step's
// result never overlaps its operands. Inputs live from the start, outputs to the end.
// Last: it needs to know which values exist.
//
// Arena: largest values first, each at the lowest gap among those alive with it. Weights: in
// program order, so that a run reads them front to back. Cache: layer by layer.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "ir/module.h"
#include "passes/options.h"

namespace weft::passes {

absl::Status PlanMemory(ir::Module* module, const PassOptions& options, bool* changed);

struct MemoryPlan {
  int64_t arena_bytes = 0;
  int64_t weight_bytes = 0;
  int64_t kv_bytes = 0;
  int64_t peak_live_bytes = 0;      // of the arena: no plan can have fewer bytes
  int64_t bytes_without_reuse = 0;  // of the arena, had every value its own
};

// Of a planned module.
MemoryPlan Summary(const ir::Module& module);

}  // namespace weft::passes
