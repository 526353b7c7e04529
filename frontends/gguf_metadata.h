// The key-value section of a GGUF file, kept as views into the file's bytes.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <absl/types/span.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weft {

// Type ids of https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
enum class GgufType : uint32_t {
  kU8 = 0,
  kI8 = 1,
  kU16 = 2,
  kI16 = 3,
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kU64 = 10,
  kI64 = 11,
  kF64 = 12,
};

absl::string_view Name(GgufType type);
// Bytes of a scalar of this type; 0 for strings and arrays.
uint64_t ScalarBytes(GgufType type);

struct GgufValue {
  GgufType type = GgufType::kU8;
  // For arrays: the type and number of the elements.
  GgufType element = GgufType::kU8;
  uint64_t count = 0;
  // A scalar's or an array's little-endian bytes (not aligned); a string's characters. Empty for
  // arrays of strings. For arrays of arrays the checked but undecoded bytes of the elements.
  absl::Span<const uint8_t> bytes;
  std::vector<absl::string_view> strings;  // of an array of strings
  uint64_t offset = 0;                     // of the key in the file, for messages
};

// Getters take integers of any width and sign that hold the value, and floats of both widths.
// Errors are NotFound for a key that is not there and InvalidArgument for another type or a value
// out of range; both name the file and the key. Views point into the bytes that were parsed.
class GgufMetadata {
 public:
  explicit GgufMetadata(std::string file_name) : file_name_(std::move(file_name)) {}

  // False where the key is there already.
  bool Add(absl::string_view key, GgufValue value);

  bool Has(absl::string_view key) const { return Find(key) != nullptr; }
  // Null where it is not there. For keys that may be of several types.
  const GgufValue* Find(absl::string_view key) const;
  // In the file's order.
  const std::vector<absl::string_view>& keys() const { return keys_; }

  absl::StatusOr<uint32_t> GetU32(absl::string_view key) const;
  absl::StatusOr<int32_t> GetI32(absl::string_view key) const;
  absl::StatusOr<uint64_t> GetU64(absl::string_view key) const;
  absl::StatusOr<float> GetF32(absl::string_view key) const;
  absl::StatusOr<bool> GetBool(absl::string_view key) const;
  absl::StatusOr<absl::string_view> GetString(absl::string_view key) const;

  // The fallback stands in only where the key is missing; a wrong type is an error all the same.
  absl::StatusOr<uint32_t> GetU32Or(absl::string_view key, uint32_t fallback) const;
  absl::StatusOr<float> GetF32Or(absl::string_view key, float fallback) const;
  absl::StatusOr<bool> GetBoolOr(absl::string_view key, bool fallback) const;
  absl::StatusOr<absl::string_view> GetStringOr(absl::string_view key,
                                                absl::string_view fallback) const;

  absl::StatusOr<absl::Span<const absl::string_view>> GetStringArray(absl::string_view key) const;
  absl::StatusOr<std::vector<int32_t>> GetI32Array(absl::string_view key) const;
  absl::StatusOr<std::vector<float>> GetF32Array(absl::string_view key) const;
  absl::StatusOr<std::vector<bool>> GetBoolArray(absl::string_view key) const;
  // A float within [low, high]; nullopt where there is no such key.
  absl::StatusOr<std::optional<double>> GetF32Within(absl::string_view key, double low,
                                                     double high) const;
  // An id of a token; nullopt where there is no such key, or it is -1 (2^32 - 1 where unsigned),
  // which is what writers put for "none".
  absl::StatusOr<std::optional<int32_t>> GetTokenId(absl::string_view key) const;

 private:
  absl::StatusOr<const GgufValue*> Require(absl::string_view key) const;
  absl::Status WrongType(absl::string_view key, const GgufValue& value,
                         absl::string_view expected) const;
  absl::Status OutOfRange(absl::string_view key, absl::string_view expected) const;
  template <typename T>
  absl::StatusOr<T> GetInteger(absl::string_view key, absl::string_view expected) const;

  std::string file_name_;
  std::vector<absl::string_view> keys_;
  std::vector<GgufValue> values_;  // beside keys_
  absl::flat_hash_map<absl::string_view, size_t> index_;
};

}  // namespace weft
