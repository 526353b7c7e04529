// For the tests of the template interpreter.
#pragma once

#include <ctime>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"
#include "runtime/text/jinja_context.h"
#include "runtime/text/jinja_format.h"
#include "runtime/text/jinja_template.h"
#include "runtime/text/jinja_value.h"

namespace weft::jinja {

// A context of its own, and short names for values.
struct TestContext {
  Context context{Limits(), std::tm()};

  Value List(std::vector<Value> items) { return *context.NewList(std::move(items)); }
  Value Tuple(std::vector<Value> items) {
    return *context.NewSequence(SequenceKind::kTuple, std::move(items));
  }
  Value Map(std::vector<std::pair<Value, Value>> entries) {
    return *context.NewDict(std::move(entries));
  }
  // repr(value), or "error: …"
  std::string Repr(const absl::StatusOr<Value>& value) {
    if (!value.ok()) return "error: " + std::string(value.status().message());
    std::string out;
    const absl::Status status = AppendRepr(context, *value, out);
    return status.ok() ? out : "error: " + std::string(status.message());
  }
};

inline Value Int(int64_t value) { return Value::MakeInt(value); }
inline Value Float(double value) { return Value::MakeFloat(value); }
inline Value Text(std::string value) { return Value::MakeString(std::move(value)); }
inline Value None() { return Value::MakeNone(); }

inline absl::StatusOr<std::string> Render(
    absl::string_view source,
    const nlohmann::ordered_json& variables = nlohmann::ordered_json::object(),
    const Limits& limits = {}) {
  absl::StatusOr<Template> parsed = Template::Parse(source, limits);
  if (!parsed.ok()) return parsed.status();
  return parsed->Render(variables, std::tm());
}

}  // namespace weft::jinja
