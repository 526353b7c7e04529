// The functions that every template can call: range, dict, namespace, and what transformers adds,
// raise_exception and strftime_now.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/text/jinja_context.h"
#include "runtime/text/jinja_value.h"

namespace weft::jinja {

absl::StatusOr<std::vector<std::pair<absl::string_view, Value>>> GlobalFunctions(Context& context);

}  // namespace weft::jinja
