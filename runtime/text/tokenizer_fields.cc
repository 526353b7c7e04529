#include "runtime/text/tokenizer_fields.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "runtime/text/terminal_text.h"

namespace weft {
namespace {

const nlohmann::json& EmptyArray() {
  static const nlohmann::json* const empty = new nlohmann::json(nlohmann::json::array());
  return *empty;
}

const nlohmann::json& EmptyObject() {
  static const nlohmann::json* const empty = new nlohmann::json(nlohmann::json::object());
  return *empty;
}

}  // namespace

JsonFields::JsonFields(const nlohmann::json& object, std::string where)
    : object_(object), where_(std::move(where)) {
  if (!object_.is_object()) Fail(absl::StrCat("expected an object, found ", object_.type_name()));
}

void JsonFields::Fail(absl::string_view what) {
  if (!status_.ok()) return;
  status_ =
      absl::InvalidArgumentError(absl::StrCat(where_, where_.ends_with(':') ? " " : ": ", what));
}

std::string JsonFields::Path(absl::string_view key) const {
  return absl::StrCat(where_, where_.ends_with(':') ? " " : ".", key);
}

std::string JsonFields::Path(absl::string_view key, size_t index) const {
  return absl::StrCat(Path(key), "[", index, "]");
}

const nlohmann::json* JsonFields::Find(const char* key) const {
  if (!object_.is_object()) return nullptr;
  const auto it = object_.find(key);
  return it == object_.end() || it->is_null() ? nullptr : &*it;
}

bool JsonFields::Bool(const char* key, bool fallback) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) {
    Fail(absl::StrCat("'", key, "' must be true or false, found ", value->type_name()));
    return fallback;
  }
  return value->get<bool>();
}

std::string JsonFields::String(const char* key, const char* fallback) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr) return fallback;
  if (!value->is_string()) {
    Fail(absl::StrCat("'", key, "' must be a string, found ", value->type_name()));
    return fallback;
  }
  return value->get<std::string>();
}

std::string JsonFields::RequiredString(const char* key) {
  if (Find(key) == nullptr) Fail(absl::StrCat("'", key, "' is missing"));
  return String(key, "");
}

int64_t JsonFields::RequiredInt(const char* key, int64_t min, int64_t max) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr) {
    Fail(absl::StrCat("'", key, "' is missing"));
    return min;
  }
  // A number above int64's range is stored as unsigned and would turn negative.
  const bool fits = value->is_number_integer() &&
                    (!value->is_number_unsigned() || value->get<uint64_t>() <= INT64_MAX);
  if (!fits || value->get<int64_t>() < min || value->get<int64_t>() > max) {
    Fail(absl::StrCat("'", key, "' must be a whole number from ", min, " to ", max));
    return min;
  }
  return value->get<int64_t>();
}

const nlohmann::json& JsonFields::RequiredArray(const char* key) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr || !value->is_array()) {
    Fail(absl::StrCat("'", key, "' must be an array",
                      value == nullptr ? ", and is missing" : ", found ",
                      value == nullptr ? "" : value->type_name()));
    return EmptyArray();
  }
  return *value;
}

const nlohmann::json& JsonFields::RequiredObject(const char* key) {
  const nlohmann::json* value = Find(key);
  if (value == nullptr || !value->is_object()) {
    Fail(absl::StrCat(QuotedText(key), " must be an object",
                      value == nullptr ? ", and is missing" : ", found ",
                      value == nullptr ? "" : value->type_name()));
    return EmptyObject();
  }
  return *value;
}

}  // namespace weft
