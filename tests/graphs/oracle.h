// What a graph means before any pass that could be wrong has touched it.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ir/evaluator.h"
#include "passes/options.h"

namespace weft::graphs {

// The outputs of a front end's graph under the formats that the options choose: Q8_0 matrices are
// rounded, the inputs of their matmuls quantised and caches rounded as docs/numerics.md says, op by
// op by the reference evaluator. Nothing is fused, packed, scheduled or planned on the way; of the
// pipeline only the two passes run that choose formats. Every lowering of the graph must evaluate
// to the very same bits.
absl::StatusOr<std::vector<ir::Value>> EvaluateImported(const ir::Module& imported,
                                                        const passes::PassOptions& options,
                                                        const ir::WeightReader& weights,
                                                        absl::Span<const int32_t> tokens);

}  // namespace weft::graphs
