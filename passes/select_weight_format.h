// Before: weights in the types of the files, one for each logical projection.
// After: every used weight has `format` (f32 or q8_0) and `why`.
// After cut-weights, since each projection is judged by its own dims; before pack-layout, which
// packs by format. A weight has one format, however many nodes stand for it; what no output needs
// is dropped first, lest it count as a use.
//
// Matrices of matmuls and token embeddings: an override by name wins, then the mode; under auto,
// types that arrive quantised become q8_0, and float ones if max(in, out) reaches the threshold.
// Vectors and position tables are f32 always.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "ir/module.h"
#include "passes/options.h"

namespace weft::passes {

absl::Status SelectWeightFormat(ir::Module* module, const PassOptions& options, bool* changed);

struct FormatDecision {
  std::string tensor;
  std::string location;
  int64_t rows = 0;
  int64_t columns = 0;  // 1 for a vector
  DataType source = DataType::kF32;
  DataType format = DataType::kF32;
  int64_t bytes = 0;  // in that format, if packed by itself
  std::string why;
};

// Of every weight with a format, in program order; for tables.
std::vector<FormatDecision> CollectDecisions(const ir::Module& module);

}  // namespace weft::passes
