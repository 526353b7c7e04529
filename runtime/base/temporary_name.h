// Names for files that get their own once they are whole.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/statusor.h>

#include <string>

namespace weft {

// Calls make(name), which makes a file or link of this name unless there is one and returns 0 or an
// errno, with random names beside `target`, until one is free: that name. Process ids would not do,
// since each container counts its own. Errors name `path`.
absl::StatusOr<std::string> MakeTemporary(const std::string& path, const std::string& target,
                                          absl::FunctionRef<int(const std::string&)> make);

}  // namespace weft
