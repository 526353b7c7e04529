// What `weft dump` prints of a plan.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "runtime/plan/plan.h"
#include "tools/dot_graph.h"

namespace weft::tools {

struct PlanDump {
  std::string stage;            // dump_text.h
  std::string format = "text";  // dump_text.h
  std::string kernel;           // of asm and llvm: part of the names of the kernels wanted
  std::string target = "host";  // of asm and llvm: the name of one of the plan's; "host": the best
                                // that runs here, else the first
  int64_t expanded = kFirstLayer;  // of dot
  std::string source;              // the model that the plan was made from, or empty
};

// The IR of a stage, the program, or code: what the plan holds, and what it does not hold compiled
// again from its source, whose files are checked. An error names both ways where neither goes.
absl::StatusOr<std::string> DumpPlanStage(const Plan& plan, const PlanDump& dump);

// What the passes between two stages of the IR changed (module_diff.h). Stages as for
// DumpPlanStage.
absl::StatusOr<std::string> DiffPlanStages(const Plan& plan, const std::string& previous,
                                           const std::string& stage, const std::string& source);

// A row for each section: of which target or stage, where, how large, what share of the file.
// `format` is text or json.
std::string DumpSections(const Plan& plan, const std::string& format);

// Where everything stands in memory. `format` is text or json.
absl::StatusOr<std::string> DumpPlanMemory(const Plan& plan, const std::string& format);

}  // namespace weft::tools
