// How a model's makers advise to sample from it.
#pragma once

#include <absl/types/span.h>

#include "runtime/plan/plan_metadata.h"
#include "runtime/sampling/sampler.h"

namespace weft {

// `options` with what `generation` (PlanMetadata::generation) knows in their place.
SamplerOptions Advised(absl::Span<const PlanMetadata::Number> generation, SamplerOptions options);

}  // namespace weft
