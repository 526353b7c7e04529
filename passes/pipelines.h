// The whole order of passes, in pipelines.cc and nowhere else.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "passes/pass.h"

namespace weft::passes {

// From a front end's graph to a scheduled and planned module.
absl::Span<const Pass> DefaultPipeline();

// "import", then the name of each pass: where `--stop-after` can stop.
std::vector<std::string> StageNames();

// Null if there is none of that name.
const Pass* FindPass(absl::string_view name);

}  // namespace weft::passes
