// Before: matmuls and embeddings whose results go through single adds, activations and scales.
// After: bias, then activation, then residual (each where there is one) are in `epilogue` of the
// matmul, if nothing else uses what it computed before; an embedding's scale is its attribute.
// After the fusions of matmuls, whose slices stand in the way of an activation but not of a bias;
// before pack-layout, which packs the biases.
//
// The kernels apply the epilogue to F32 sums in this order, as separate steps would: same bits. A
// sum has the same bits in either order of its operands.
#pragma once

#include "absl/status/status.h"
#include "ir/module.h"
#include "passes/options.h"

namespace weft::passes {

absl::Status FuseEpilogue(ir::Module* module, const PassOptions& options, bool* changed);

}  // namespace weft::passes
