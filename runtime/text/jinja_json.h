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
  std::optional<std::string> indent;  // of one level; with it each item stands on a line of its own
  std::string item_separator = ", ";
  std::string key_separator = ": ";
};
absl::Status AppendJson(Context& context, const Value& value, const JsonStyle& style,
                        std::string& out);

}  // namespace weft::jinja
