// Before: weights are packed, inputs of q8_0 matmuls quantised.
// After: a matmul that only a `quantize` uses has it at the end of its `epilogue`, its result q8a,
// if its weights make whole blocks of 32 outputs.
// After pack-layout, which places the quantize steps; before schedule, since such a matmul has
// units of whole blocks.
#pragma once

#include "absl/status/status.h"
#include "ir/module.h"
#include "passes/options.h"

namespace weft::passes {

absl::Status FuseQuantize(ir::Module* module, const PassOptions& options, bool* changed);

}  // namespace weft::passes
