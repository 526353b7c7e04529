// What a pass, or several, made of a module.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "ir/module.h"

namespace weft::tools {

// Unified diff of the modules' texts; empty where they are equal. Text numbers values by their
// place, so that one node less would change every line after it. Here the nodes of `after` that are
// those of `before` still (same op and location, maybe other attributes and operands) keep their
// numbers, and new ones get numbers that `before` does not use. The diff applies to Print(before),
// and makes text of it that parses to `after`.
std::string DiffModules(absl::string_view name_before, const ir::Module& before,
                        absl::string_view name_after, const ir::Module& after);

}  // namespace weft::tools
