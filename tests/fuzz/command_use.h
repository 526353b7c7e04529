// What a user types to look at a file from a stranger, without running anything of it: the commands
// themselves, in this process. What they print goes nowhere.
#pragma once

#include <string>

#include "tests/fuzz/fuzz_target.h"

namespace weft::fuzz {

// One command with one set of options.
void LookAtModel(const std::string& path, Chooser choose);
void LookAtPlan(const std::string& path, Chooser choose);

}  // namespace weft::fuzz
