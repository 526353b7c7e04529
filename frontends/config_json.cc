#include "frontends/config_json.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "runtime/base/json_reader.h"
#include "runtime/base/status_macros.h"

namespace weft {
namespace {

using nlohmann::json;

constexpr uint64_t kMaxFileBytes = uint64_t{64} << 20;

// A number as a message shows it: 4, 0.5, 1e+06.
std::string Shown(double value) { return absl::StrCat(value); }

}  // namespace

absl::StatusOr<std::optional<json>> ReadJsonObjectIfAny(const std::string& path,
                                                        std::vector<ConfigFile>* read) {
  WEFT_ASSIGN_OR_RETURN(const std::optional<std::string> text,
                        ReadConfigFile(path, kMaxFileBytes, read));
  if (!text) return std::nullopt;
  WEFT_ASSIGN_OR_RETURN(json object, ParseJsonObject(*text, path));
  return object;
}

ConfigFields::ConfigFields(const json& object, std::string where, absl::Status* status)
    : object_(&object), where_(std::move(where)), status_(status) {}

const json* ConfigFields::Find(const char* key) const {
  const auto found = object_->find(key);
  return found == object_->end() ? nullptr : &*found;
}

bool ConfigFields::IsSet(const char* key) const {
  const json* value = Find(key);
  return value != nullptr && !value->is_null();
}

void ConfigFields::Fail(absl::string_view key, absl::string_view what) const {
  if (status_->ok())
    *status_ = absl::InvalidArgumentError(absl::StrCat(where_, ": ", key, " ", what));
}

int64_t ConfigFields::Int(const char* key, int64_t fallback, int64_t min, int64_t max) const {
  if (!IsSet(key)) return fallback;
  const json& value = *Find(key);
  if (!value.is_number_integer()) {
    Fail(key, absl::StrCat("is a ", value.type_name(), ", expected a whole number"));
    return fallback;
  }
  const bool too_large =
      value.is_number_unsigned() &&
      value.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  const int64_t number = too_large ? 0 : value.get<int64_t>();
  if (too_large || number < min || number > max) {
    Fail(key, absl::StrCat("is ", too_large ? "above 2^63" : absl::StrCat(number),
                           ", expected a number from ", min, " to ", max));
    return fallback;
  }
  return number;
}

double ConfigFields::Float(const char* key, double fallback, double min, double max) const {
  if (!IsSet(key)) return fallback;
  const json& value = *Find(key);
  if (!value.is_number()) {
    Fail(key, absl::StrCat("is a ", value.type_name(), ", expected a number"));
    return fallback;
  }
  const auto number = value.get<double>();
  if (!(number >= min && number <= max)) {
    Fail(key, absl::StrCat("is ", Shown(number), ", expected a number from ", Shown(min), " to ",
                           Shown(max)));
    return fallback;
  }
  return number;
}

bool ConfigFields::Bool(const char* key, bool fallback) const {
  if (!IsSet(key)) return fallback;
  const json& value = *Find(key);
  if (!value.is_boolean()) {
    Fail(key, absl::StrCat("is a ", value.type_name(), ", expected true or false"));
    return fallback;
  }
  return value.get<bool>();
}

std::string ConfigFields::String(const char* key, const std::string& fallback) const {
  if (!IsSet(key)) return fallback;
  const json& value = *Find(key);
  if (!value.is_string()) {
    Fail(key, absl::StrCat("is a ", value.type_name(), ", expected a string"));
    return fallback;
  }
  return value.get<std::string>();
}

std::optional<ConfigFields> ConfigFields::Object(const char* key) const {
  if (!IsSet(key)) return std::nullopt;
  const json& value = *Find(key);
  if (!value.is_object()) {
    Fail(key, absl::StrCat("is a ", value.type_name(), ", expected an object"));
    return std::nullopt;
  }
  return ConfigFields(value, absl::StrCat(where_, ": ", key), status_);
}

std::vector<std::string> ConfigFields::Strings(const char* key) const {
  std::vector<std::string> strings;
  if (!IsSet(key)) return strings;
  const json& value = *Find(key);
  for (const json& element : value) {
    if (!value.is_array() || !element.is_string()) break;
    strings.push_back(element.get<std::string>());
  }
  if (!value.is_array() || strings.size() != value.size()) Fail(key, "is no list of strings");
  return strings;
}

std::vector<int64_t> ConfigFields::Ids(const char* key) const {
  std::vector<int64_t> ids;
  if (!IsSet(key)) return ids;
  const json& value = *Find(key);
  const auto take = [&](const json& id) {
    const int64_t number = id.is_number_integer() ? id.get<int64_t>() : -1;
    if (number >= 0 && number <= std::numeric_limits<int32_t>::max()) {
      ids.push_back(number);
    } else {
      Fail(key, "is neither a token id nor a list of token ids");
    }
  };
  if (value.is_array()) {
    for (const json& id : value) take(id);
  } else {
    take(value);
  }
  return ids;
}

}  // namespace weft
