// What a user types to look at a file from a stranger, without running anything of it: the commands
// themselves, in this process. What they print goes nowhere.
#pragma once

#include <cstddef>
#include <string>

namespace weft::fuzz {

// One command with one set of options, which `choice` chooses: the same for the same.
void LookAtModel(const std::string& path, size_t choice);
void LookAtPlan(const std::string& path, size_t choice);

}  // namespace weft::fuzz
