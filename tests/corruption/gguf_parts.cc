#include "tests/corruption/gguf_parts.h"

#include <cstring>
#include <limits>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace weft::corruption {
namespace {

constexpr size_t kAlignment = 32;
constexpr uint32_t kU8 = 0, kI8 = 1, kU16 = 2, kI16 = 3, kU32 = 4, kI32 = 5, kF32 = 6, kBool = 7,
                   kString = 8, kArray = 9, kU64 = 10, kI64 = 11, kF64 = 12;
constexpr uint64_t kScalarBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

template <typename T>
std::string Raw(T value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof value);
}
std::string Text(absl::string_view text) { return absl::StrCat(Raw(uint64_t{text.size()}), text); }

class Cursor {
 public:
  explicit Cursor(const std::string& file) : file_(file) {}
  size_t at() const { return at_; }
  void Skip(uint64_t bytes) { at_ += bytes; }
  template <typename T>
  T Number() {
    T value = 0;
    std::memcpy(&value, file_.data() + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  std::string String() {
    const auto size = Number<uint64_t>();
    at_ += size;
    return file_.substr(at_ - size, size);
  }

 private:
  const std::string& file_;
  size_t at_ = 0;
};

template <typename T>
void AddWholes(uint32_t type, std::vector<GgufEdge>& edges) {
  const std::string name = absl::StrCat(std::is_signed_v<T> ? "i" : "u", 8 * sizeof(T), " ");
  std::vector<T> values = {0, 1, 2, 16, 32, 64, std::numeric_limits<T>::max()};
  if (std::is_signed_v<T>) {
    values.push_back(static_cast<T>(-1));
    values.push_back(std::numeric_limits<T>::min());
  }
  if (sizeof(T) > 2) values.push_back(static_cast<T>(uint64_t{1} << (8 * sizeof(T) - 2)));
  if (sizeof(T) > 4) {
    values.push_back(static_cast<T>(0xffffffffU));
    values.push_back(static_cast<T>(uint64_t{1} << 32));
  }
  for (const T value : values)
    edges.push_back({.name = absl::StrCat(name, int64_t{static_cast<int64_t>(value)}),
                     .bytes = Raw(type) + Raw(value),
                     .whole = absl::int128(value)});
  for (const std::vector<T>& list : {std::vector<T>{},
                                     {0},
                                     {1},
                                     {16, 16},
                                     {32, 32},
                                     {32, 64},
                                     {std::numeric_limits<T>::max()}}) {
    GgufEdge edge = {.name = absl::StrCat("array of ", list.size(), " ", name),
                     .bytes = Raw(kArray) + Raw(type) + Raw(uint64_t{list.size()}),
                     .wholes = std::vector<absl::int128>()};
    for (const T value : list) {
      absl::StrAppend(&edge.name, int64_t{static_cast<int64_t>(value)}, " ");
      edge.bytes += Raw(value);
      edge.wholes->push_back(value);
    }
    edges.push_back(std::move(edge));
  }
}

template <typename T>
void AddReals(uint32_t type, std::vector<GgufEdge>& edges) {
  using Limits = std::numeric_limits<T>;
  const std::vector<T> values = {0,
                                 -T{0},
                                 1,
                                 -1,
                                 T{0.5},
                                 16,
                                 32,
                                 Limits::min(),
                                 Limits::denorm_min(),
                                 Limits::max(),
                                 Limits::lowest(),
                                 Limits::infinity(),
                                 -Limits::infinity(),
                                 Limits::quiet_NaN()};
  const std::string name = absl::StrCat("f", 8 * sizeof(T), " ");
  for (const T value : values)
    edges.push_back({.name = absl::StrCat(name, value),
                     .bytes = Raw(type) + Raw(value),
                     .real = static_cast<float>(value)});
  for (const size_t size : {0, 1, 12}) {
    GgufEdge edge = {.name = absl::StrCat("array of ", size, " ", name, "NaN"),
                     .bytes = Raw(kArray) + Raw(type) + Raw(uint64_t{size})};
    for (size_t i = 0; i < size; ++i) edge.bytes += Raw(Limits::quiet_NaN());
    edges.push_back(std::move(edge));
  }
}

}  // namespace

GgufParts SplitGguf(const std::string& file) {
  Cursor cursor(file);
  GgufParts parts;
  cursor.Skip(8);
  parts.tensors = cursor.Number<uint64_t>();
  const auto keys = cursor.Number<uint64_t>();
  const auto skip_value = [&cursor](uint32_t type) {
    type == kString ? (void)cursor.String() : cursor.Skip(kScalarBytes[type]);
  };
  for (uint64_t i = 0; i < keys; ++i) {
    GgufParts::Key key = {.name = cursor.String()};
    const size_t begin = cursor.at();
    const auto type = cursor.Number<uint32_t>();
    if (type == kArray) {
      const auto element = cursor.Number<uint32_t>();
      const auto count = cursor.Number<uint64_t>();
      for (uint64_t j = 0; j < count; ++j) skip_value(element);
    } else {
      skip_value(type);
    }
    key.value = file.substr(begin, cursor.at() - begin);
    parts.keys.push_back(std::move(key));
  }
  const size_t begin = cursor.at();
  for (uint64_t i = 0; i < parts.tensors; ++i) {
    (void)cursor.String();
    cursor.Skip(8 * cursor.Number<uint32_t>());
    cursor.Skip(sizeof(uint32_t) + sizeof(uint64_t));  // type and offset
  }
  parts.table = file.substr(begin, cursor.at() - begin);
  parts.data = file.substr((cursor.at() + kAlignment - 1) / kAlignment * kAlignment);
  return parts;
}

std::string JoinGguf(const GgufParts& parts) {
  std::string file =
      absl::StrCat("GGUF", Raw(uint32_t{3}), Raw(parts.tensors), Raw(uint64_t{parts.keys.size()}));
  for (const GgufParts::Key& key : parts.keys) absl::StrAppend(&file, Text(key.name), key.value);
  file += parts.table;
  file.resize((file.size() + kAlignment - 1) / kAlignment * kAlignment);
  return file + parts.data;
}

std::vector<GgufEdge> GgufEdges() {
  std::vector<GgufEdge> edges;
  AddWholes<uint8_t>(kU8, edges);
  AddWholes<int8_t>(kI8, edges);
  AddWholes<uint16_t>(kU16, edges);
  AddWholes<int16_t>(kI16, edges);
  AddWholes<uint32_t>(kU32, edges);
  AddWholes<int32_t>(kI32, edges);
  AddWholes<uint64_t>(kU64, edges);
  AddWholes<int64_t>(kI64, edges);
  AddReals<float>(kF32, edges);
  AddReals<double>(kF64, edges);
  for (const bool value : {false, true})
    edges.push_back({.name = absl::StrCat("bool ", value),
                     .bytes = Raw(kBool) + Raw(uint8_t{value}),
                     .flag = value});
  for (const std::string& text : {std::string(), std::string("1"), std::string("\0", 1),
                                  std::string("\xff\xfe"), std::string(5000, 'x')})
    edges.push_back({.name = absl::StrCat("string of ", text.size(), " ", text.substr(0, 1)),
                     .bytes = Raw(kString) + Text(text),
                     .text = text});
  for (const auto& [name, bytes] :
       {std::pair("array of no bools", Raw(kBool) + Raw(uint64_t{0})),
        {"array of a bool", Raw(kBool) + Raw(uint64_t{1}) + Raw(uint8_t{1})},
        {"array of no strings", Raw(kString) + Raw(uint64_t{0})},
        {"array of a string", Raw(kString) + Raw(uint64_t{1}) + Text("x")},
        {"array of two strings", Raw(kString) + Raw(uint64_t{2}) + Text("") + Text("\xff")},
        {"array of an array", Raw(kArray) + Raw(uint64_t{1}) + Raw(kU32) + Raw(uint64_t{0})}})
    edges.push_back({.name = name, .bytes = Raw(kArray) + bytes});
  return edges;
}

}  // namespace weft::corruption
