// Checked access to the JSON files of a model folder: config.json and its neighbours.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "frontends/config_file.h"

namespace weft {

// Reads a file of at most 64 MiB (the largest known tokenizer_config.json has 1.2 MB) that must
// hold one JSON object, with ReadConfigFile and ParseJsonObject of runtime/base/json_reader.h;
// nothing where there is no such file.
absl::StatusOr<std::optional<nlohmann::json>> ReadJsonObjectIfAny(const std::string& path,
                                                                  std::vector<ConfigFile>* read);

// The fields of one object. The first mistake goes into *status and is kept; getters then return
// the fallback, so that a reader takes all its fields and asks for the status once.
class ConfigFields {
 public:
  // `where` opens the messages: "model/config.json". `object` and `status` must outlive this.
  ConfigFields(const nlohmann::json& object, std::string where, absl::Status* status);

  // There, whatever the value.
  bool Has(const char* key) const { return Find(key) != nullptr; }
  // There with a value other than null.
  bool IsSet(const char* key) const;

  // Where the field is absent or null, `fallback`; else a value of the kind and range, or a
  // mistake.
  int64_t Int(const char* key, int64_t fallback, int64_t min, int64_t max) const;
  double Float(const char* key, double fallback, double min, double max) const;
  bool Bool(const char* key, bool fallback) const;
  std::string String(const char* key, const std::string& fallback) const;
  std::optional<ConfigFields> Object(const char* key) const;
  // Empty where absent or null.
  std::vector<std::string> Strings(const char* key) const;
  // A number or a list of numbers, as token ids are given.
  std::vector<int64_t> Ids(const char* key) const;

  // Records "<where>: <key> <what>" unless a mistake was recorded before.
  void Fail(absl::string_view key, absl::string_view what) const;
  const std::string& where() const { return where_; }

 private:
  const nlohmann::json* Find(const char* key) const;

  const nlohmann::json* object_;
  std::string where_;
  absl::Status* status_;
};

}  // namespace weft
