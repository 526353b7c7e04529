// Filters: `value | name(arguments)`.
// https://jinja.palletsprojects.com/en/3.1.x/templates/#list-of-builtin-filters
//
// Text is never escaped on its own (transformers renders without autoescape), so `safe` and
// `escape` give plain text. Filters that are lazy in Jinja give an iterator here too, which can be
// walked once, but compute it at once.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/text/jinja_context.h"
#include "runtime/text/jinja_value.h"

namespace weft::jinja {

struct FilterEntry {
  absl::string_view name;
  // `name` comes along for filters that share a function.
  absl::StatusOr<Value> (*apply)(Context& context, const Value& input, absl::string_view name,
                                 const Arguments& arguments);
};

bool HasFilter(absl::string_view name);
// Unimplemented when there is no such filter.
absl::StatusOr<Value> ApplyFilter(Context& context, absl::string_view name, const Value& input,
                                  const Arguments& arguments);

}  // namespace weft::jinja
