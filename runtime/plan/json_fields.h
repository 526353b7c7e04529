// Strict reading of JSON that nobody vouches for: every field present, of its type, and none
// unknown.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace weft {

// Compact text; bytes of strings that are not UTF-8 become U+FFFD.
std::string PrintJson(const nlohmann::json& value);

// Reads the fields of one object. The first thing wrong is kept; after it every read gives zero or
// empty, so that callers check once: Finish().
class PlanFields {
 public:
  // Does not own `value`. `where` opens every message: "a.weft: program.steps[3]".
  PlanFields(const nlohmann::json& value, std::string where);

  std::string String(const char* key);
  bool Bool(const char* key);
  int64_t Int(const char* key);
  uint64_t Uint(const char* key);
  double Number(const char* key);
  // An array of int32_t.
  std::vector<int32_t> Int32s(const char* key);
  // An array of strings.
  std::vector<std::string> Strings(const char* key);

  // An object, or each object of an array in order until the first error.
  using ReadObject = absl::FunctionRef<void(PlanFields& fields)>;
  void Object(const char* key, ReadObject read);
  void Objects(const char* key, ReadObject read);

  // Keeps the message, opened with `where`, unless there is an earlier one.
  void Fail(absl::string_view message);

  // The first error, here or in an object below; or one for a field that nobody read.
  absl::Status Finish() const;

 private:
  const nlohmann::json* Find(const char* key);
  void ReadChild(const nlohmann::json& value, const std::string& name, ReadObject read);

  const nlohmann::json& value_;
  std::string where_;
  std::vector<const char*> known_;
  absl::Status status_;
};

}  // namespace weft
