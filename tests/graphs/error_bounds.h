// How far a kernel may be from the reference evaluator, derived from the arithmetic that
// docs/numerics.md prescribes: no figure here is fitted to what kernels were seen to do.
#pragma once

#include <vector>

#include "absl/types/span.h"
#include "ir/evaluator_ops.h"

namespace weft::graphs {

// For each value of the op's result the largest |kernel − evaluator| where both get the same
// operands, bit for bit. 0 where both do the same operations in the same order: copies, sums,
// products, conversions. Of a matmul that quantises its result the bounds are those before that.
//
// Notation: u = 2⁻²⁴, a rounding to F32 multiplies by 1 + δ, |δ| ≤ u; n roundings in a row by 1 +
// θ, |θ| ≤ γ(n) = n·u / (1 − n·u) (Higham, Accuracy and Stability of Numerical Algorithms, ch. 3).
// The evaluator computes in F64, whose error is below u/100 for all sizes that occur, and rounds
// once.
std::vector<double> ErrorBounds(const ir::EvalContext& context, const ir::Node& node,
                                absl::Span<const ir::Value* const> operands);

}  // namespace weft::graphs
