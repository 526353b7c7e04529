// The files that a plan was compiled from: by name, size and digest; not by path, on which no byte
// of a plan depends.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "frontends/model.h"
#include "runtime/plan/plan.h"
#include "tools/digest_index.h"

namespace weft::tools {

// Of a model: its weights, then its other files. What was parsed of these when the model was loaded
// is what counts; of the rest, reads what `digests` does not know.
absl::StatusOr<std::vector<PlanMetadata::SourceFile>> SourceOf(const Model& model,
                                                               DigestIndex* digests);

// An error that names the first file in which `model` is not what the plan was compiled from.
absl::Status CheckSource(const Plan& plan, const Model& model);

}  // namespace weft::tools
