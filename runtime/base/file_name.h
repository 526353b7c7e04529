// Names of files that come out of other files.
#pragma once

#include <absl/strings/string_view.h>

namespace weft {

// Whether `name` is that of a file in a folder and leads nowhere else: not empty, "." or "..",
// at most 255 bytes, without '/', '\\' (which other systems take for one) and control characters.
bool IsPlainFileName(absl::string_view name);

}  // namespace weft
