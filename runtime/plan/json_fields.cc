#include "runtime/plan/json_fields.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace weft {

using nlohmann::json;

std::string PrintJson(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

PlanFields::PlanFields(const json& value, std::string where)
    : value_(value), where_(std::move(where)) {
  if (!value_.is_object()) Fail("is no object");
}

void PlanFields::Fail(absl::string_view message) {
  if (!status_.ok()) return;
  status_ = absl::InvalidArgumentError(absl::StrCat(where_, ": ", message));
}

const json* PlanFields::Find(const char* key) {
  known_.push_back(key);
  if (!status_.ok()) return nullptr;
  const auto found = value_.find(key);
  if (found != value_.end()) return &*found;
  Fail(absl::StrCat("'", key, "' is missing"));
  return nullptr;
}

std::string PlanFields::String(const char* key) {
  const json* value = Find(key);
  if (value == nullptr) return "";
  if (value->is_string()) return value->get<std::string>();
  Fail(absl::StrCat("'", key, "' is no string"));
  return "";
}

bool PlanFields::Bool(const char* key) {
  const json* value = Find(key);
  if (value == nullptr) return false;
  if (value->is_boolean()) return value->get<bool>();
  Fail(absl::StrCat("'", key, "' is neither true nor false"));
  return false;
}

int64_t PlanFields::Int(const char* key) {
  const json* value = Find(key);
  if (value == nullptr) return 0;
  // The parser keeps what is not negative as unsigned.
  constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
  if (value->is_number_unsigned() ? value->get<uint64_t>() <= kMax : value->is_number_integer()) {
    return value->get<int64_t>();
  }
  Fail(absl::StrCat("'", key, "' is no integer of 64 bits"));
  return 0;
}

uint64_t PlanFields::Uint(const char* key) {
  const json* value = Find(key);
  if (value == nullptr) return 0;
  if (value->is_number_unsigned()) return value->get<uint64_t>();
  Fail(absl::StrCat("'", key, "' is no integer from 0 to 2^64 - 1"));
  return 0;
}

double PlanFields::Number(const char* key) {
  const json* value = Find(key);
  if (value == nullptr) return 0;
  if (value->is_number()) return value->get<double>();
  Fail(absl::StrCat("'", key, "' is no number"));
  return 0;
}

std::vector<int32_t> PlanFields::Int32s(const char* key) {
  const json* value = Find(key);
  if (value == nullptr) return {};
  const auto is_int32 = [](const json& element) {
    return element.is_number_unsigned()
               ? element.get<uint64_t>() <= uint64_t{std::numeric_limits<int32_t>::max()}
               : element.is_number_integer() &&
                     element.get<int64_t>() >= std::numeric_limits<int32_t>::min();
  };
  if (value->is_array() && std::all_of(value->begin(), value->end(), is_int32)) {
    return value->get<std::vector<int32_t>>();
  }
  Fail(absl::StrCat("'", key, "' is no array of integers of 32 bits"));
  return {};
}

std::vector<std::string> PlanFields::Strings(const char* key) {
  const json* value = Find(key);
  if (value == nullptr) return {};
  if (value->is_array() && std::all_of(value->begin(), value->end(),
                                       [](const json& element) { return element.is_string(); })) {
    return value->get<std::vector<std::string>>();
  }
  Fail(absl::StrCat("'", key, "' is no array of strings"));
  return {};
}

void PlanFields::ReadChild(const json& value, const std::string& name, ReadObject read) {
  PlanFields fields(value, absl::StrCat(where_, ".", name));
  read(fields);
  status_ = fields.Finish();
}

void PlanFields::Object(const char* key, ReadObject read) {
  const json* value = Find(key);
  if (value != nullptr) ReadChild(*value, key, read);
}

void PlanFields::Objects(const char* key, ReadObject read) {
  const json* value = Find(key);
  if (value == nullptr) return;
  if (!value->is_array()) {
    Fail(absl::StrCat("'", key, "' is no array"));
    return;
  }
  for (size_t i = 0; i < value->size() && status_.ok(); ++i) {
    ReadChild((*value)[i], absl::StrCat(key, "[", i, "]"), read);
  }
}

absl::Status PlanFields::Finish() const {
  if (!status_.ok()) return status_;
  for (auto member = value_.begin(); member != value_.end(); ++member) {
    if (std::find(known_.begin(), known_.end(), member.key()) == known_.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat(where_, ": field '", member.key(), "' is unknown"));
    }
  }
  return absl::OkStatus();
}

}  // namespace weft
