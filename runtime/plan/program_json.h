// A step program as JSON, the form it has in a plan file (docs/plan-format.md lists the fields).
#pragma once

#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

#include <string>

#include "runtime/abi/program.h"

namespace weft {

std::string ProgramToJson(const Program& program);

// Refuses what is not exactly such a JSON, and every program that ValidateProgram refuses. Errors
// open with `name`, the file's.
absl::StatusOr<Program> ProgramFromJson(absl::string_view json, absl::string_view name);

}  // namespace weft
