// Before: matmuls of q, k and v over one input, in front of one attention and the cache it reads;
// between them and those only biases, norms, RoPE and scales.
// After: one matmul with three weights and slices of its result; biases joined likewise.
// After canonicalise, which makes the input one value; before pack-layout, which packs the three
// weights together.
#pragma once

#include "absl/status/status.h"
#include "ir/module.h"
#include "passes/options.h"

namespace weft::passes {

absl::Status FuseQkv(ir::Module* module, const PassOptions& options, bool* changed);

}  // namespace weft::passes
