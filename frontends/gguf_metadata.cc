#include "frontends/gguf_metadata.h"

#include <absl/strings/str_cat.h>

#include <cstring>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>

#include "frontends/tensor_file.h"
#include "runtime/abi/check.h"
#include "runtime/base/status_macros.h"

namespace weft {
namespace {

template <typename T>
T Load(const uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

// An integer of a file, wide enough for all of its types.
struct Integer {
  bool negative = false;
  uint64_t bits = 0;  // two's complement

  // The value as a T, where it fits.
  template <typename T>
  std::optional<T> As() const {
    if (negative) {
      if constexpr (std::is_signed_v<T>) {
        const auto value = static_cast<int64_t>(bits);
        if (value >= std::numeric_limits<T>::min()) return static_cast<T>(value);
      }
      return std::nullopt;
    }
    if (bits > static_cast<uint64_t>(std::numeric_limits<T>::max())) return std::nullopt;
    return static_cast<T>(bits);
  }
};

template <typename T>
Integer LoadInteger(const uint8_t* bytes) {
  const T value = Load<T>(bytes);
  if constexpr (std::is_signed_v<T>) {
    return {.negative = value < 0, .bits = static_cast<uint64_t>(static_cast<int64_t>(value))};
  } else {
    return {.bits = value};
  }
}

bool IsInteger(GgufType type) {
  return ScalarBytes(type) > 0 && type != GgufType::kF32 && type != GgufType::kF64 &&
         type != GgufType::kBool;
}

// The integer of an integer type at `bytes`.
Integer ReadInteger(GgufType type, const uint8_t* bytes) {
  switch (type) {
    case GgufType::kU8:
      return LoadInteger<uint8_t>(bytes);
    case GgufType::kI8:
      return LoadInteger<int8_t>(bytes);
    case GgufType::kU16:
      return LoadInteger<uint16_t>(bytes);
    case GgufType::kI16:
      return LoadInteger<int16_t>(bytes);
    case GgufType::kU32:
      return LoadInteger<uint32_t>(bytes);
    case GgufType::kI32:
      return LoadInteger<int32_t>(bytes);
    case GgufType::kU64:
      return LoadInteger<uint64_t>(bytes);
    case GgufType::kI64:
      return LoadInteger<int64_t>(bytes);
    case GgufType::kF32:
    case GgufType::kBool:
    case GgufType::kString:
    case GgufType::kArray:
    case GgufType::kF64:
      break;
  }
  WEFT_CHECK(false);
  return {};
}

std::optional<float> ReadFloat(GgufType type, const uint8_t* bytes) {
  if (type == GgufType::kF32) return Load<float>(bytes);
  if (type == GgufType::kF64) return static_cast<float>(Load<double>(bytes));
  return std::nullopt;
}

// StatusOr with the fallback in place of NotFound.
template <typename T>
absl::StatusOr<T> OrElse(absl::StatusOr<T> value, T fallback) {
  if (absl::IsNotFound(value.status())) return fallback;
  return value;
}

}  // namespace

absl::string_view Name(GgufType type) {
  switch (type) {
    case GgufType::kU8:
      return "u8";
    case GgufType::kI8:
      return "i8";
    case GgufType::kU16:
      return "u16";
    case GgufType::kI16:
      return "i16";
    case GgufType::kU32:
      return "u32";
    case GgufType::kI32:
      return "i32";
    case GgufType::kF32:
      return "f32";
    case GgufType::kBool:
      return "bool";
    case GgufType::kString:
      return "string";
    case GgufType::kArray:
      return "array";
    case GgufType::kU64:
      return "u64";
    case GgufType::kI64:
      return "i64";
    case GgufType::kF64:
      return "f64";
  }
  WEFT_CHECK(false);
  return "";
}

uint64_t ScalarBytes(GgufType type) {
  switch (type) {
    case GgufType::kU8:
    case GgufType::kI8:
    case GgufType::kBool:
      return 1;
    case GgufType::kU16:
    case GgufType::kI16:
      return 2;
    case GgufType::kU32:
    case GgufType::kI32:
    case GgufType::kF32:
      return 4;
    case GgufType::kU64:
    case GgufType::kI64:
    case GgufType::kF64:
      return 8;
    case GgufType::kString:
    case GgufType::kArray:
      return 0;
  }
  WEFT_CHECK(false);
  return 0;
}

bool GgufMetadata::Add(absl::string_view key, GgufValue value) {
  if (!index_.emplace(key, values_.size()).second) return false;
  keys_.push_back(key);
  values_.push_back(std::move(value));
  return true;
}

const GgufValue* GgufMetadata::Find(absl::string_view key) const {
  const auto found = index_.find(key);
  return found == index_.end() ? nullptr : &values_[found->second];
}

absl::StatusOr<const GgufValue*> GgufMetadata::Require(absl::string_view key) const {
  const GgufValue* value = Find(key);
  if (value == nullptr) {
    return absl::NotFoundError(absl::StrCat(file_name_, ": key ", QuoteName(key),
                                            " is missing (not a complete model file?)"));
  }
  return value;
}

absl::Status GgufMetadata::WrongType(absl::string_view key, const GgufValue& value,
                                     absl::string_view expected) const {
  return absl::InvalidArgumentError(
      absl::StrCat(file_name_, ": key ", QuoteName(key), " (byte ", value.offset, ") is of type ",
                   Name(value.type),
                   value.type == GgufType::kArray ? absl::StrCat(" of ", Name(value.element)) : "",
                   ", not ", expected));
}

absl::Status GgufMetadata::OutOfRange(absl::string_view key, absl::string_view expected) const {
  return absl::InvalidArgumentError(absl::StrCat(file_name_, ": key ", QuoteName(key), " (byte ",
                                                 Find(key)->offset,
                                                 ") has a value that does not fit ", expected));
}

template <typename T>
absl::StatusOr<T> GgufMetadata::GetInteger(absl::string_view key,
                                           absl::string_view expected) const {
  WEFT_ASSIGN_OR_RETURN(const GgufValue* value, Require(key));
  if (!IsInteger(value->type)) return WrongType(key, *value, "an integer");
  const std::optional<T> narrow = ReadInteger(value->type, value->bytes.data()).As<T>();
  if (!narrow.has_value()) return OutOfRange(key, expected);
  return *narrow;
}

absl::StatusOr<uint32_t> GgufMetadata::GetU32(absl::string_view key) const {
  return GetInteger<uint32_t>(key, "u32");
}
absl::StatusOr<int32_t> GgufMetadata::GetI32(absl::string_view key) const {
  return GetInteger<int32_t>(key, "i32");
}
absl::StatusOr<uint64_t> GgufMetadata::GetU64(absl::string_view key) const {
  return GetInteger<uint64_t>(key, "u64");
}

absl::StatusOr<float> GgufMetadata::GetF32(absl::string_view key) const {
  WEFT_ASSIGN_OR_RETURN(const GgufValue* value, Require(key));
  const std::optional<float> number = ReadFloat(value->type, value->bytes.data());
  if (!number.has_value()) return WrongType(key, *value, "a float");
  return *number;
}

absl::StatusOr<std::optional<double>> GgufMetadata::GetF32Within(absl::string_view key, double low,
                                                                 double high) const {
  if (!Has(key)) return std::nullopt;
  WEFT_ASSIGN_OR_RETURN(const float number, GetF32(key));
  if (number >= low && number <= high) return number;
  return absl::InvalidArgumentError(absl::StrCat(file_name_, ": key ", QuoteName(key), " (byte ",
                                                 Find(key)->offset, ") is ", number,
                                                 ", expected a number from ", low, " to ", high));
}

absl::StatusOr<std::optional<int32_t>> GgufMetadata::GetTokenId(absl::string_view key) const {
  if (!Has(key)) return std::nullopt;
  if (const auto id = GetU32(key); id.ok() && *id == UINT32_MAX) return std::nullopt;
  WEFT_ASSIGN_OR_RETURN(const int32_t id, GetI32(key));
  if (id < -1) return OutOfRange(key, "a token id");
  return id == -1 ? std::nullopt : std::optional(id);
}

absl::StatusOr<bool> GgufMetadata::GetBool(absl::string_view key) const {
  WEFT_ASSIGN_OR_RETURN(const GgufValue* value, Require(key));
  if (value->type != GgufType::kBool) return WrongType(key, *value, "a bool");
  return value->bytes[0] != 0;
}

absl::StatusOr<absl::string_view> GgufMetadata::GetString(absl::string_view key) const {
  WEFT_ASSIGN_OR_RETURN(const GgufValue* value, Require(key));
  if (value->type != GgufType::kString) return WrongType(key, *value, "a string");
  return absl::string_view(reinterpret_cast<const char*>(value->bytes.data()), value->bytes.size());
}

absl::StatusOr<uint32_t> GgufMetadata::GetU32Or(absl::string_view key, uint32_t fallback) const {
  return OrElse(GetU32(key), fallback);
}
absl::StatusOr<float> GgufMetadata::GetF32Or(absl::string_view key, float fallback) const {
  return OrElse(GetF32(key), fallback);
}
absl::StatusOr<bool> GgufMetadata::GetBoolOr(absl::string_view key, bool fallback) const {
  return OrElse(GetBool(key), fallback);
}
absl::StatusOr<absl::string_view> GgufMetadata::GetStringOr(absl::string_view key,
                                                            absl::string_view fallback) const {
  return OrElse(GetString(key), fallback);
}

absl::StatusOr<absl::Span<const absl::string_view>> GgufMetadata::GetStringArray(
    absl::string_view key) const {
  WEFT_ASSIGN_OR_RETURN(const GgufValue* value, Require(key));
  if (value->type != GgufType::kArray || value->element != GgufType::kString) {
    return WrongType(key, *value, "an array of strings");
  }
  return absl::MakeConstSpan(value->strings);
}

absl::StatusOr<std::vector<int32_t>> GgufMetadata::GetI32Array(absl::string_view key) const {
  WEFT_ASSIGN_OR_RETURN(const GgufValue* value, Require(key));
  if (value->type != GgufType::kArray || !IsInteger(value->element)) {
    return WrongType(key, *value, "an array of integers");
  }
  const uint64_t step = ScalarBytes(value->element);
  std::vector<int32_t> result;
  result.reserve(value->count);
  for (uint64_t i = 0; i < value->count; ++i) {
    const std::optional<int32_t> narrow =
        ReadInteger(value->element, value->bytes.data() + i * step).As<int32_t>();
    if (!narrow.has_value()) return OutOfRange(key, "i32");
    result.push_back(*narrow);
  }
  return result;
}

absl::StatusOr<std::vector<float>> GgufMetadata::GetF32Array(absl::string_view key) const {
  WEFT_ASSIGN_OR_RETURN(const GgufValue* value, Require(key));
  if (value->type != GgufType::kArray ||
      (value->element != GgufType::kF32 && value->element != GgufType::kF64)) {
    return WrongType(key, *value, "an array of floats");
  }
  const uint64_t step = ScalarBytes(value->element);
  std::vector<float> result;
  result.reserve(value->count);
  for (uint64_t i = 0; i < value->count; ++i) {
    result.push_back(*ReadFloat(value->element, value->bytes.data() + i * step));
  }
  return result;
}

absl::StatusOr<std::vector<bool>> GgufMetadata::GetBoolArray(absl::string_view key) const {
  WEFT_ASSIGN_OR_RETURN(const GgufValue* value, Require(key));
  if (value->type != GgufType::kArray || value->element != GgufType::kBool) {
    return WrongType(key, *value, "an array of bools");
  }
  std::vector<bool> result;
  result.reserve(value->count);
  for (const uint8_t byte : value->bytes) result.push_back(byte != 0);
  return result;
}

}  // namespace weft
