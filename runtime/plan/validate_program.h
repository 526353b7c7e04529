// What every program must keep before a step of it may run.
#pragma once

#include <absl/status/status.h>

#include <cstdint>

#include "runtime/abi/program.h"

namespace weft {

// Far above any model, and low enough that no product or sum of them leaves int64_t.
inline constexpr uint64_t kMaxSpaceBytes = uint64_t{1} << 46;
inline constexpr int64_t kMaxRows = int64_t{1} << 24;  // of max_tokens, context and vocab
inline constexpr int64_t kMaxUnits = int64_t{1} << 40;

// How many rows an extent means in a run of `tokens` and `logit_rows`.
int64_t RowsOf(Extent extent, int64_t tokens, int64_t logit_rows);

// InvalidArgument names the step and the field where
// - a size or count is out of the bounds above, units or grain are below 1, or
//   max_logit_rows > max_tokens;
// - an operand, or tokens, positions, logits or argmax, is not within its space, not aligned to 4
//   bytes, too small for its rows, or writes to the weights;
// - an operand with a stride is not in the arena or not as many rows as its step's extent.
// The machine code of the kernels is beyond what can be checked.
absl::Status ValidateProgram(const Program& program);

}  // namespace weft
