// The compiler's options as a plan records them: under the names of the flags, so that a reader can
// compile again, and what a plan does not hold can be made again.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "runtime/plan/plan_metadata.h"
#include "tools/compile_model.h"

namespace weft::tools {

// All that bear on the plan, given or not; those that may be given several times once for each.
// `context` is that of the model.
std::vector<PlanMetadata::Option> RecordOptions(const CompileSettings& settings, int64_t context);

// The settings that were recorded, context included. An error names an option that this weft does
// not know, or a value that it does not take.
absl::StatusOr<CompileSettings> ReadOptions(const std::vector<PlanMetadata::Option>& options);

}  // namespace weft::tools
