// Before: a graph as a front end or a person wrote it.
// After: no scale by 1, no slice of a whole value or of a slice, no two nodes that compute the
// same, no node that no output needs. First, so that every later pass sees one form: those that
// share an input are found by equal ids, and a tied embedding is one weight.
//
// Products of two scales stay: folding them would round differently.
#pragma once

#include "absl/status/status.h"
#include "ir/module.h"
#include "passes/options.h"

namespace weft::passes {

absl::Status Canonicalise(ir::Module* module, const PassOptions& options, bool* changed);

}  // namespace weft::passes
