// Before: matmuls of q, k and v over one input, in front of one attention and the cache it reads;
// between them and those only biases, norms, RoPE and scales. Or one matmul whose slices are those.
// After: one matmul with three weights and slices of its result; biases joined likewise.
// After canonicalise, which makes the input one value; before select-weight-format, which decides
// for each of the three weights by itself, also where the file holds them as one.
#pragma once

#include "absl/status/status.h"
#include "ir/module.h"
#include "passes/options.h"

namespace weft::passes {

absl::Status FuseQkv(ir::Module* module, const PassOptions& options, bool* changed);

}  // namespace weft::passes
