// What holds after the passes that lower a module, beyond ir::Verify. Each check includes those of
// the phases before. An error names the node by its text.
#pragma once

#include "absl/status/status.h"
#include "ir/module.h"
#include "passes/options.h"

namespace weft::passes {

// Weights are used by packs only, packs hold their weights' format in the layout that their users
// read, no concat is left.
absl::Status CheckPacked(const ir::Module& module, const PassOptions& options);
// Steps, and only they, are partitioned; slices are views of values that are none.
absl::Status CheckScheduled(const ir::Module& module, const PassOptions& options);
// Every value has a place of its size; no two that are alive at once overlap; views lie within what
// they show.
absl::Status CheckPlanned(const ir::Module& module, const PassOptions& options);

}  // namespace weft::passes
