// Compiling again what a plan was compiled from, with the options that it records.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "ir/module.h"
#include "passes/remark.h"
#include "runtime/plan/plan.h"
#include "tools/compile_model.h"

namespace weft::tools {

// A stage of the IR that a plan holds, parsed; `text` is its text.
absl::StatusOr<ir::Module> ParseStage(const Plan& plan, const std::string& text);

// The graph that the plan records of the stage before any pass; nothing where it records none.
absl::StatusOr<std::optional<ir::Module>> RecordedImport(const Plan& plan);
// The graph of the model at `source`, whose files must be those that the plan was compiled from.
absl::StatusOr<ir::Module> ImportSource(const Plan& plan, const std::string& source);

struct RecompiledPlan {
  CompileSettings settings;
  ir::Module module;                                    // of the last stage
  absl::flat_hash_map<std::string, std::string> texts;  // of each stage
};

// Runs the passes on it. Where this weft makes something else of it than the plan holds, a note on
// stderr says so.
absl::StatusOr<RecompiledPlan> RecompilePlan(const Plan& plan, ir::Module imported,
                                             std::function<void(passes::Remark)> remark = nullptr);

}  // namespace weft::tools
