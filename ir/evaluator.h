// The oracle: evaluates a module at any stage, slowly and obviously, in F32 with double sums. Every
// pass and kernel is tested against it; it is itself tested against goldens of Hugging Face
// transformers.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ir/module.h"
#include "ir/weight_reader.h"

namespace weft::ir {

// A tensor's value, row-major. i32 values stand in `ints`, all others in `floats`; quantised ones
// as what they stand for.
struct Value {
  std::vector<int64_t> dims;
  std::vector<float> floats;
  std::vector<int32_t> ints;

  int64_t columns() const { return dims.back(); }
  int64_t rows() const;
};

struct EvaluateOptions {
  // L; 0 means T.
  int64_t logit_rows = 0;
  // Called with each node and its value, in program order.
  std::function<void(const Node&, const Value&)> observer;
};

// Runs the module over `tokens` at positions 0, 1, …; returns the outputs in order. Ids out of
// range and unreadable weights are errors.
absl::StatusOr<std::vector<Value>> Evaluate(const Module& module, const WeightReader& weights,
                                            absl::Span<const int32_t> tokens,
                                            const EvaluateOptions& options = {});

}  // namespace weft::ir
