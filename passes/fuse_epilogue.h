// Before: matmuls and embeddings whose results go through single adds, activations and scales.
// After: a gated_activate of both halves of a matmul's columns is in its `epilogue`, if nothing
// else uses it or its two weights, which have one format and whole panels: they will be packed
// panel by panel in turn. Bias, then activation, then residual (each where there is one) are in
// `epilogue` of the matmul, if nothing else uses what it computed before; an embedding's scale is
// its attribute. After the fusions of matmuls, whose slices stand in the way of an activation but
// not of a bias, and the choice of formats; before pack-layout, which packs the biases.
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
