// A program run step by step, each step's result against the reference evaluator.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ir/module.h"
#include "ir/weight_reader.h"
#include "runtime/abi/program.h"

namespace weft::graphs {

struct StepCheckInput {
  const ir::Module& module;  // planned
  const Program& program;    // of it
  absl::Span<const KernelFn> kernels;
  const uint8_t* packed;
  const ir::WeightReader& weights;
  absl::Span<const int32_t> tokens;
  int64_t chunk = 0;  // at most program.max_tokens and max_logit_rows
};

// How near results came to their bounds, by op: the largest error as a share of its bound, 0 where
// the bound is 0; and how many values were compared, of these with a bound of 0.
struct StepStats {
  double share = 0;
  int64_t values = 0;
  int64_t exact = 0;
};

// Runs the program on one thread over memory of its own, and compares what each step leaves with
// what the evaluator makes of the values that its operands had when they were computed (not of what
// lies in memory when they are read: a value that was overwritten too early shows). Every value
// must be within ErrorBounds of the evaluator's. By induction over the steps the whole run is then
// the module's function, each step rounded as docs/numerics.md says, so no tolerance for the sum of
// all that is needed, which would have to be wide: an activation that lies on a tie turns by a
// quant. Returns the logits of all tokens; the error names the step.
absl::StatusOr<std::vector<float>> CheckSteps(const StepCheckInput& input,
                                              std::map<std::string, StepStats>* stats);

}  // namespace weft::graphs
