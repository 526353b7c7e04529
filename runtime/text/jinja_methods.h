// The methods that chat templates call on strings, dicts and lists.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/text/jinja_context.h"
#include "runtime/text/jinja_text.h"
#include "runtime/text/jinja_value.h"

namespace weft::jinja {

enum class MethodKind {
  kNone,       // the type has no such method
  kAllowed,    // CallMethod knows it
  kForbidden,  // it would change the value; the sandbox hides it
};

// Unimplemented for a method that Python's type has and this interpreter does not.
absl::StatusOr<MethodKind> FindMethod(const Value& receiver, absl::string_view name);

// Needs FindMethod() == kAllowed.
absl::StatusOr<Value> CallMethod(Context& context, const Value& receiver, absl::string_view name,
                                 const Arguments& arguments);
// The method as a value.
absl::StatusOr<Value> BindMethod(Context& context, const Value& receiver, absl::string_view name);

// str.strip and its sisters within the limits; without `chars`, white space.
absl::StatusOr<Value> StripChecked(Context& context, absl::string_view text, Side side,
                                   std::optional<absl::string_view> chars);

// str.replace within the limits; a negative count means all.
absl::StatusOr<Value> ReplaceChecked(Context& context, absl::string_view text,
                                     absl::string_view from, absl::string_view to, int64_t count);

}  // namespace weft::jinja
