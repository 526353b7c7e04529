// Before: activate(gate) · up, of two matmuls over one input or of two slices of one matmul.
// After: one matmul with two weights, slices of its result, and one gated_activate.
// After canonicalise, for one input value; before fuse-epilogue, which would put the activation
// into gate's own matmul.
#pragma once

#include "absl/status/status.h"
#include "ir/module.h"
#include "passes/options.h"

namespace weft::passes {

absl::Status FuseGateUp(ir::Module* module, const PassOptions& options, bool* changed);

}  // namespace weft::passes
