// The oracle's meaning of each op. Internal to the evaluator and its tests.
#pragma once

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ir/evaluator.h"

namespace weft::ir {

struct EvalContext {
  const Module& module;
  const WeightReader& weights;
  absl::Span<const int32_t> tokens;
  int64_t logit_rows;
};

absl::StatusOr<Value> EvaluateOp(const EvalContext& context, const Node& node,
                                 absl::Span<const Value* const> operands);

}  // namespace weft::ir
