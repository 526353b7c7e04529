// Checked access to the fields of one JSON object of a tokenizer file. The first mistake is kept;
// getters return the fallback after it, so a reader can take all its fields and ask for the status
// once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace weft {

// Of normalizer, pre-tokenizer and decoder each. Known files nest two deep and have eleven steps.
inline constexpr int kMaxSequenceDepth = 8;
inline constexpr size_t kMaxSequenceSteps = 64;

class JsonFields {
 public:
  // `where` names the object in messages: "tokenizer.json:" for the whole file, or a path in it
  // such as "tokenizer.json: pre_tokenizer.pretokenizers[1]". `object` must outlive this. An object
  // that is none is the first mistake.
  JsonFields(const nlohmann::json& object, std::string where);

  // nullptr if the field is absent or null.
  const nlohmann::json* Find(const char* key) const;
  // Absent or null gives the fallback.
  bool Bool(const char* key, bool fallback);
  std::string String(const char* key, const char* fallback);
  // These must be there.
  std::string RequiredString(const char* key);
  int64_t RequiredInt(const char* key, int64_t min, int64_t max);
  const nlohmann::json& RequiredArray(const char* key);
  const nlohmann::json& RequiredObject(const char* key);

  // Records "<where>: <what>" unless a mistake was recorded before.
  void Fail(absl::string_view what);
  absl::Status status() const { return status_; }
  const std::string& where() const { return where_; }
  std::string Path(absl::string_view key) const;
  std::string Path(absl::string_view key, size_t index) const;

 private:
  const nlohmann::json& object_;
  std::string where_;
  absl::Status status_;
};

}  // namespace weft
