// Before: a front end's graph. Where it holds q, k and v, or gate and up, as one matmul whose
// slices these are, the matmul has one weight.
// After: such a matmul has a weight for each of them, rows of the same tensor.
// First of all, and not optional: select-weight-format judges each projection by itself, and must
// find the same ones whatever is left out.
#pragma once

#include "absl/status/status.h"
#include "ir/module.h"
#include "passes/options.h"

namespace weft::passes {

absl::Status CutWeights(ir::Module* module, const PassOptions& options, bool* changed);

}  // namespace weft::passes
