// Tests: `value is name(arguments)`.
// https://jinja.palletsprojects.com/en/3.1.x/templates/#list-of-builtin-tests
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/text/jinja_context.h"
#include "runtime/text/jinja_value.h"

namespace weft::jinja {

// Unimplemented when there is no such test.
absl::StatusOr<bool> ApplyTest(Context& context, absl::string_view name, const Value& subject,
                               const Arguments& arguments);

}  // namespace weft::jinja
