// Runs a pipeline and keeps watch over it: verifies after each pass and names the culprit, runs the
// checks that hold from that pass on, checks that "unchanged" is true, times, prints, switches off
// and stops.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "passes/pass.h"

namespace weft::passes {

// The stage before any pass.
inline constexpr absl::string_view kImportStage = "import";

struct PipelineOptions {
  PassOptions pass;
  std::vector<std::string> disabled;      // names of optional passes
  std::string stop_after;                 // a stage; empty: run all
  std::vector<std::string> print_before;  // stages, or "all"
  std::vector<std::string> print_after;
  // Gets the text of the module before or after passes that change it: (stage, "before" or
  // "after", text). "import" is printed after only.
  std::function<void(absl::string_view, absl::string_view, absl::string_view)> sink;
  // Gets the text of the module at every stage, also of those whose pass is disabled or changed
  // nothing: (stage, text).
  std::function<void(absl::string_view, std::string)> record;
  // Compare the text where a pass says that it changed nothing.
#ifdef NDEBUG
  bool check_unchanged = false;
#else
  bool check_unchanged = true;
#endif
};

struct PassStats {
  std::string name;
  double ms = 0;  // of the pass itself, without the checks
  bool changed = false;
  size_t nodes_before = 0;
  size_t nodes_after = 0;
  // What it did: by op, how many nodes more or fewer there are; by attribute, on how many nodes
  // that stayed it is another; and how many of those have another type.
  std::map<std::string, int64_t> ops;
  std::map<std::string, int64_t> attributes;
  int64_t types = 0;
};

// Statistics of the passes that ran. Names that the pipeline does not know, and attempts to disable
// what is not optional, are errors that list what there is. After an error the module is as the
// culprit left it.
absl::StatusOr<std::vector<PassStats>> RunPipeline(absl::Span<const Pass> pipeline,
                                                   const PipelineOptions& options,
                                                   ir::Module* module);

}  // namespace weft::passes
