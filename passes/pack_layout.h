// Before: every used weight has its format.
// After: no `weight` or `concat` is used but by a `pack`. Matrices are in panels of 16 rows, the
// adjacent ones of a matmul in one pack where their formats agree; position tables and vectors are
// f32 rows. A weight that several steps use, as a tied embedding, is packed once and by itself.
// Matmuls with q8_0 packs have their input quantised, once for all of them; those with f32 packs
// too have both (inputs=2).
// After everything that joins matmuls or their biases, since packs cannot be joined; before
// schedule, which counts panels. The first pass whose numbers differ: q8_0 rounds.
#pragma once

#include "absl/status/status.h"
#include "ir/module.h"
#include "passes/options.h"

namespace weft::passes {

absl::Status PackLayout(ir::Module* module, const PassOptions& options, bool* changed);

}  // namespace weft::passes
