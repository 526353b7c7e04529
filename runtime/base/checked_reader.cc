#include "runtime/base/checked_reader.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/string_view.h>

#include <bit>
#include <cstring>
#include <limits>

#include "runtime/abi/check.h"

namespace weft {

static_assert(std::endian::native == std::endian::little, "scalars are copied as they are");

std::optional<uint64_t> CheckedAdd(uint64_t a, uint64_t b) {
  if (b > std::numeric_limits<uint64_t>::max() - a) return std::nullopt;
  return a + b;
}

std::optional<uint64_t> CheckedMul(uint64_t a, uint64_t b) {
  if (b != 0 && a > std::numeric_limits<uint64_t>::max() / b) return std::nullopt;
  return a * b;
}

std::optional<uint64_t> CheckedAlign(uint64_t value, uint64_t alignment) {
  WEFT_CHECK(std::has_single_bit(alignment));
  const std::optional<uint64_t> above = CheckedAdd(value, alignment - 1);
  if (!above.has_value()) return std::nullopt;
  return *above & ~(alignment - 1);
}

std::optional<int64_t> CheckedProduct(absl::Span<const int64_t> dims) {
  uint64_t product = 1;
  // A zero dim must not hide an overflow of the others: callers take products of some of the dims
  // too.
  bool has_zero = false;
  for (const int64_t dim : dims) {
    if (dim < 0) return std::nullopt;
    if (dim == 0) {
      has_zero = true;
      continue;
    }
    const std::optional<uint64_t> next = CheckedMul(product, static_cast<uint64_t>(dim));
    if (!next.has_value() || *next > std::numeric_limits<int64_t>::max()) return std::nullopt;
    product = *next;
  }
  return has_zero ? 0 : static_cast<int64_t>(product);
}

absl::StatusOr<absl::Span<const uint8_t>> ByteReader::ReadBytes(uint64_t n,
                                                                absl::string_view what) {
  if (n > remaining()) {
    return absl::InvalidArgumentError(
        absl::StrCat(name_, ": ", what, " at byte ", offset_, " needs ", n, " bytes, but only ",
                     remaining(), " of the ", bytes_.size(), " follow (truncated download?)"));
  }
  const auto view = bytes_.subspan(offset_, n);
  offset_ += n;
  return view;
}

template <typename T>
absl::StatusOr<T> ByteReader::ReadScalar(absl::string_view what) {
  absl::StatusOr<absl::Span<const uint8_t>> bytes = ReadBytes(sizeof(T), what);
  if (!bytes.ok()) return bytes.status();
  T value;
  std::memcpy(&value, bytes->data(), sizeof(T));
  return value;
}

absl::StatusOr<uint8_t> ByteReader::ReadU8(absl::string_view what) {
  return ReadScalar<uint8_t>(what);
}
absl::StatusOr<uint16_t> ByteReader::ReadU16(absl::string_view what) {
  return ReadScalar<uint16_t>(what);
}
absl::StatusOr<uint32_t> ByteReader::ReadU32(absl::string_view what) {
  return ReadScalar<uint32_t>(what);
}
absl::StatusOr<uint64_t> ByteReader::ReadU64(absl::string_view what) {
  return ReadScalar<uint64_t>(what);
}
absl::StatusOr<int8_t> ByteReader::ReadI8(absl::string_view what) {
  return ReadScalar<int8_t>(what);
}
absl::StatusOr<int16_t> ByteReader::ReadI16(absl::string_view what) {
  return ReadScalar<int16_t>(what);
}
absl::StatusOr<int32_t> ByteReader::ReadI32(absl::string_view what) {
  return ReadScalar<int32_t>(what);
}
absl::StatusOr<int64_t> ByteReader::ReadI64(absl::string_view what) {
  return ReadScalar<int64_t>(what);
}
absl::StatusOr<float> ByteReader::ReadF32(absl::string_view what) {
  return ReadScalar<float>(what);
}
absl::StatusOr<double> ByteReader::ReadF64(absl::string_view what) {
  return ReadScalar<double>(what);
}

absl::StatusOr<absl::string_view> ByteReader::ReadString(uint64_t max_bytes,
                                                         absl::string_view what) {
  const uint64_t start = offset_;
  const absl::StatusOr<uint64_t> length = ReadU64(what);
  if (!length.ok()) return length.status();
  if (*length > max_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(name_, ": ", what, " at byte ", start,
                                                   " claims a length of ", *length,
                                                   " bytes; at most ", max_bytes, " are allowed"));
  }
  const absl::StatusOr<absl::Span<const uint8_t>> bytes = ReadBytes(*length, what);
  if (!bytes.ok()) return bytes.status();
  return absl::string_view(reinterpret_cast<const char*>(bytes->data()), bytes->size());
}

absl::StatusOr<uint64_t> ByteReader::ReadCount(uint64_t min_bytes, absl::string_view what) {
  WEFT_CHECK(min_bytes > 0);
  const uint64_t at = offset_;
  const absl::StatusOr<uint64_t> count = ReadU64(what);
  if (!count.ok() || *count <= remaining() / min_bytes) return count;
  return absl::InvalidArgumentError(absl::StrCat(name_, ": ", what, " at byte ", at, " is ", *count,
                                                 ", but only ", remaining(),
                                                 " bytes follow (truncated download?)"));
}

absl::Status ByteReader::Skip(uint64_t n, absl::string_view what) {
  return ReadBytes(n, what).status();
}

absl::Status ByteReader::Align(uint64_t alignment, absl::string_view what) {
  // Where there is no such multiple, there are not that many bytes either.
  const uint64_t to = CheckedAlign(offset_, alignment).value_or(~uint64_t{0});
  return Skip(to - offset_, what);
}

absl::Status ByteReader::Error(absl::string_view message) const {
  return absl::InvalidArgumentError(absl::StrCat(name_, ": byte ", offset_, ": ", message));
}

}  // namespace weft
