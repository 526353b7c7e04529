// From what a file says about a tokenizer to the form that runs.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "runtime/text/tokenizer_spec.h"

namespace weft {

// The bytes of a TokenizerImage of a valid spec. Equal specs give equal bytes. InvalidArgument that
// begins with `name` if a merge makes something that is no token.
absl::StatusOr<std::string> MakeTokenizerImage(const TokenizerSpec& spec, const std::string& name);

}  // namespace weft
