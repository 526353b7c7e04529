// Little-endian reader over bytes nobody vouches for. Every read is bounds-checked; every error
// names the file and the offset.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <absl/types/span.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace weft {

// a + b, a * b, or nothing where the result does not fit 64 bits.
std::optional<uint64_t> CheckedAdd(uint64_t a, uint64_t b);
std::optional<uint64_t> CheckedMul(uint64_t a, uint64_t b);
// The first multiple of `alignment` (a power of two) from `value` on, or nothing where it does not
// fit 64 bits.
std::optional<uint64_t> CheckedAlign(uint64_t value, uint64_t alignment);
// Product of dims (1 for none), or nothing where a dim is negative or the product of the dims that
// are not zero does not fit int64_t.
std::optional<int64_t> CheckedProduct(absl::Span<const int64_t> dims);

class ByteReader {
 public:
  // Neither copies nor owns `bytes`; views that it returns point into them. `name` opens every
  // message.
  ByteReader(absl::Span<const uint8_t> bytes, std::string name)
      : bytes_(bytes), name_(std::move(name)) {}

  // `what` names the field for the error: "model.gguf: tensor count at byte 8 needs 8 bytes, the
  // file has 3 more (…)".
  absl::StatusOr<uint8_t> ReadU8(absl::string_view what);
  absl::StatusOr<uint16_t> ReadU16(absl::string_view what);
  absl::StatusOr<uint32_t> ReadU32(absl::string_view what);
  absl::StatusOr<uint64_t> ReadU64(absl::string_view what);
  absl::StatusOr<int8_t> ReadI8(absl::string_view what);
  absl::StatusOr<int16_t> ReadI16(absl::string_view what);
  absl::StatusOr<int32_t> ReadI32(absl::string_view what);
  absl::StatusOr<int64_t> ReadI64(absl::string_view what);
  absl::StatusOr<float> ReadF32(absl::string_view what);
  absl::StatusOr<double> ReadF64(absl::string_view what);

  // The next n bytes, as a view.
  absl::StatusOr<absl::Span<const uint8_t>> ReadBytes(uint64_t n, absl::string_view what);
  // A u64 length of at most `max_bytes`, then that many bytes, as a view (any bytes; not checked
  // for UTF-8).
  absl::StatusOr<absl::string_view> ReadString(uint64_t max_bytes, absl::string_view what);

  // A u64 count of elements that take at least `min_bytes` each, of which there can be no more than
  // the rest of the bytes holds: what it allows to allocate stays in proportion to the file.
  absl::StatusOr<uint64_t> ReadCount(uint64_t min_bytes, absl::string_view what);

  absl::Status Skip(uint64_t n, absl::string_view what);
  // Skips to the next multiple of `alignment` (a power of two), counted from the start of the
  // bytes.
  absl::Status Align(uint64_t alignment, absl::string_view what);

  uint64_t offset() const { return offset_; }
  uint64_t remaining() const { return bytes_.size() - offset_; }
  const std::string& name() const { return name_; }

  // InvalidArgument "NAME: byte OFFSET: MESSAGE".
  absl::Status Error(absl::string_view message) const;

 private:
  template <typename T>
  absl::StatusOr<T> ReadScalar(absl::string_view what);

  absl::Span<const uint8_t> bytes_;
  std::string name_;
  uint64_t offset_ = 0;  // never beyond bytes_.size()
};

}  // namespace weft
