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
// str(value) as a value, which shares the text of one that is a text.
absl::StatusOr<Value> Str(Context& context, const Value& value);
// Appends a backslash, the prefix and so many digits.
void AppendHex(char prefix, int digits, uint32_t value, std::string& out);
// Appends repr(value): strings in quotes.
absl::Status AppendRepr(Context& context, const Value& value, std::string& out);

}  // namespace weft::jinja
