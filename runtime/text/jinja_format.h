// str() and repr() of values, as Python prints them.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/text/jinja_context.h"
#include "runtime/text/jinja_value.h"

namespace weft::jinja {

// Appends str(value): strings as they are, undefined as nothing. What prints as an address in
// Python (macros, loops, lazy filters) is an error.
absl::Status AppendStr(Context& context, const Value& value, std::string& out);
absl::StatusOr<std::string> Str(Context& context, const Value& value);
// Appends repr(value): strings in quotes.
absl::Status AppendRepr(Context& context, const Value& value, std::string& out);

}  // namespace weft::jinja
