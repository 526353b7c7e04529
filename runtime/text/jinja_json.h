// Values from JSON, and to JSON as Python's json.dumps writes it.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "runtime/text/jinja_context.h"
#include "runtime/text/jinja_value.h"

namespace weft::jinja {

// Objects keep their order, which templates can see (hence ordered_json). An integer that does not
// fit int64 is an error.
absl::StatusOr<Value> FromJson(Context& context, const nlohmann::ordered_json& json);

struct JsonStyle {
  bool ensure_ascii = false;
  bool sort_keys = false;
  // Of one level; with it each item stands on a line of its own.
  std::optional<absl::string_view> indent;
  absl::string_view item_separator = ", ";
  absl::string_view key_separator = ": ";
};
absl::Status AppendJson(Context& context, const Value& value, const JsonStyle& style,
                        std::string& out);

}  // namespace weft::jinja
