#include "tests/corruption/gguf_map.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "absl/numeric/int128.h"
#include "absl/strings/str_cat.h"

namespace weft::corruption {
namespace {

using Wide = absl::uint128;

constexpr uint32_t kString = 8, kArray = 9, kBool = 7, kU32 = 4;
constexpr uint64_t kScalarBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

struct BlockFormat {
  uint32_t type;
  uint64_t values, bytes;
};
// ggml's ggml_type, and the blocks of ggml-common.h.
constexpr BlockFormat kFormats[] = {
    {0, 1, 4},      {1, 1, 2},     {2, 32, 18},    {3, 32, 20},    {6, 32, 22},    {7, 32, 24},
    {8, 32, 34},    {10, 256, 84}, {11, 256, 110}, {12, 256, 144}, {13, 256, 176}, {14, 256, 210},
    {15, 256, 292}, {16, 256, 66}, {17, 256, 74},  {18, 256, 98},  {19, 256, 50},  {20, 32, 18},
    {21, 256, 110}, {22, 256, 82}, {23, 256, 136}, {24, 1, 1},     {25, 1, 2},     {26, 1, 4},
    {27, 1, 8},     {28, 1, 8},    {29, 256, 56},  {30, 1, 2},     {34, 256, 54},  {35, 256, 66},
    {39, 32, 17},   {40, 64, 36}};

const BlockFormat* FormatOf(uint32_t type) {
  const auto* const found = std::find_if(std::begin(kFormats), std::end(kFormats),
                                         [&](const BlockFormat& f) { return f.type == type; });
  return found == std::end(kFormats) ? nullptr : found;
}

class Writer {
 public:
  template <typename T>
  void Put(FieldKind kind, const std::string& owner, T value) {
    Raw(kind, owner, {reinterpret_cast<const char*>(&value), sizeof value});
  }
  void Raw(FieldKind kind, const std::string& owner, absl::string_view bytes) {
    image_.fields.push_back({kind, owner, image_.bytes.size(), bytes.size()});
    image_.bytes.append(bytes.data(), bytes.size());
  }
  void Text(const std::string& owner, const std::string& text) {
    Put<uint64_t>(FieldKind::kLength, owner, text.size());
    Raw(FieldKind::kText, owner, text);
  }
  std::string Key(const std::string& key, uint32_t type) {
    const std::string owner = absl::StrCat("key '", key, "'");
    Put<uint64_t>(FieldKind::kLength, "a key", key.size());
    Raw(FieldKind::kText, "a key", key);
    Put(FieldKind::kType, owner, type);
    return owner;
  }
  void Array(const std::string& owner, uint32_t element, uint64_t count) {
    Put(FieldKind::kType, owner, element);
    Put(FieldKind::kCount, owner, count);
  }
  void Align(uint64_t alignment, const std::string& owner) {
    const std::string zeros((alignment - image_.bytes.size() % alignment) % alignment, '\0');
    if (!zeros.empty()) Raw(FieldKind::kPadding, owner, zeros);
  }
  GgufImage Take() { return std::move(image_); }

 private:
  GgufImage image_;
};

class Reader {
 public:
  explicit Reader(absl::string_view file) : file_(file) {}

  bool IsValid() {
    if (Bytes(4) != "GGUF") return false;
    const auto version = Number<uint32_t>();
    const auto tensors = Number<uint64_t>();
    const auto keys = Number<uint64_t>();
    if (version != 2 && version != 3) return false;
    if (tensors > (1 << 20) || keys > (1 << 16)) return false;  // Weft's own limits
    for (uint64_t i = 0; i < keys && good_; ++i) ReadKey();
    if (!good_ || !AlignmentIsValid()) return false;
    for (uint64_t i = 0; i < tensors && good_; ++i) ReadTensor();
    return good_ && RangesAreValid();
  }

 private:
  struct Range {
    Wide begin, bytes;
  };

  absl::string_view Bytes(Wide n) {
    if (n > file_.size() - at_) good_ = false;
    if (!good_) return {};
    at_ += static_cast<size_t>(n);
    return file_.substr(at_ - static_cast<size_t>(n), static_cast<size_t>(n));
  }
  template <typename T>
  T Number() {
    T value = 0;
    const absl::string_view bytes = Bytes(sizeof value);
    if (good_) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  absl::string_view String() { return Bytes(Number<uint64_t>()); }
  void Fail() { good_ = false; }

  uint32_t ReadType() {
    const auto type = Number<uint32_t>();
    if (type > 12) Fail();
    return type;
  }
  void ReadElements(uint32_t type, uint64_t count, int depth) {
    for (uint64_t i = 0; i < count && good_; ++i) {
      if (type == kString) {
        String();
      } else if (type == kArray) {
        if (depth == 2) return Fail();
        const uint32_t element = ReadType();
        if (element == kArray) return Fail();
        ReadElements(element, Number<uint64_t>(), depth + 1);
      } else {
        const absl::string_view value = Bytes(kScalarBytes[type]);
        // Bools inside arrays of arrays nobody reads; everywhere else they are 0 or 1.
        if (good_ && type == kBool && depth < 2 && static_cast<uint8_t>(value[0]) > 1) Fail();
      }
    }
  }
  void ReadKey() {
    const std::string key(String());
    if (key.empty() || key.size() > 65535 || !keys_.insert(key).second) Fail();
    const uint32_t type = good_ ? ReadType() : 0;
    if (!good_) return;
    const size_t value_at = at_;
    if (type == kArray) {
      const uint32_t element = ReadType();
      const auto count = Number<uint64_t>();
      if (good_) ReadElements(element, count, 1);
    } else {
      ReadElements(type, 1, 0);
    }
    if (!good_) return;
    for (const auto& [name, target] :
         {std::pair("general.alignment", &alignment_), std::pair("split.count", &parts_)})
      if (key == name) *target = Integer(type, file_.substr(value_at, at_ - value_at));
  }
  // What the two keys that the header's reader itself needs hold; negative for no number of 32
  // bits.
  static int64_t Integer(uint32_t type, absl::string_view bytes) {
    if (type == 6 || type == kBool || type == kString || type == kArray || type == 12) return -1;
    uint64_t value = 0;
    std::memcpy(&value, bytes.data(), bytes.size());
    const bool is_signed = type == 1 || type == 3 || type == 5 || type == 11;
    if (is_signed && (value >> (8 * bytes.size() - 1)) != 0) return -1;
    return value > 0xffffffffu ? -1 : static_cast<int64_t>(value);
  }
  bool AlignmentIsValid() const {
    return alignment_ > 0 && alignment_ <= (1 << 20) && (alignment_ & (alignment_ - 1)) == 0 &&
           parts_ >= 0 && parts_ <= 1;
  }
  void ReadTensor() {
    const std::string name(String());
    if (name.size() > 65535 || !names_.insert(name).second) Fail();
    const auto dims = Number<uint32_t>();
    if (!good_ || dims > 4) return Fail();
    Wide values = 1;  // of the dims that are not 0: a product of some of them must fit as well
    uint64_t row = 1;
    bool is_empty = false;
    for (uint32_t i = 0; i < dims; ++i) {
      const auto dim = Number<uint64_t>();
      if (!good_ || dim >= uint64_t{1} << 63) return Fail();
      if (i == 0) row = dim;
      is_empty = is_empty || dim == 0;
      if (dim > 0) values *= dim;
      if (values >= Wide{1} << 63) return Fail();
    }
    const BlockFormat* const format = FormatOf(Number<uint32_t>());
    const auto offset = Number<uint64_t>();
    if (!good_ || format == nullptr || row % format->values != 0) return Fail();
    const Wide bytes = is_empty ? 0 : values / format->values * format->bytes;
    if (bytes >= Wide{1} << 63 || offset % static_cast<uint64_t>(alignment_) != 0) return Fail();
    ranges_.push_back({offset, bytes});
  }
  Wide AlignUp(Wide value) const {
    const auto alignment = static_cast<Wide>(alignment_);
    return (value + alignment - 1) / alignment * alignment;
  }
  bool RangesAreValid() {
    if (ranges_.empty()) return true;
    std::sort(ranges_.begin(), ranges_.end(), [](const Range& a, const Range& b) {
      return std::pair(a.begin, a.bytes) < std::pair(b.begin, b.bytes);
    });
    Wide end = 0;
    for (const Range& range : ranges_) {
      if (range.begin != AlignUp(end)) return false;
      end = range.begin + range.bytes;
      if (AlignUp(at_) + end > file_.size()) return false;
    }
    return true;
  }

  absl::string_view file_;
  size_t at_ = 0;
  bool good_ = true;
  int64_t alignment_ = 32;
  int64_t parts_ = 0;
  std::set<std::string> keys_, names_;
  std::vector<Range> ranges_;
};

}  // namespace

GgufImage WriteGguf(uint32_t version) {
  Writer writer;
  writer.Raw(FieldKind::kMagic, "GGUF", "GGUF");
  writer.Put(FieldKind::kVersion, "version", version);
  constexpr uint64_t kTensors = 4, kKeys = 18;
  writer.Put(FieldKind::kCount, "the tensor count", kTensors);
  writer.Put(FieldKind::kCount, "the key count", kKeys);
  writer.Put<uint32_t>(FieldKind::kValue, writer.Key("general.alignment", kU32), 64);
  writer.Put<uint16_t>(FieldKind::kValue, writer.Key("split.count", 2), 1);
  for (uint32_t type = 0; type <= 12; ++type) {
    if (type == kArray) continue;
    const std::string owner = writer.Key(absl::StrCat("scalar.", type), type);
    if (type == kString)
      writer.Text(owner, "a string");
    else
      writer.Raw(FieldKind::kValue, owner, std::string(kScalarBytes[type], '\1'));
  }
  const std::string bools = writer.Key("array.bools", kArray);
  writer.Array(bools, kBool, 3);
  writer.Raw(FieldKind::kValue, bools, std::string("\0\1\0", 3));
  const std::string texts = writer.Key("array.strings", kArray);
  writer.Array(texts, kString, 3);
  for (const char* text : {"ab", "", "cde"}) writer.Text(texts, text);
  const std::string numbers = writer.Key("array.i16", kArray);
  writer.Array(numbers, 3, 5);
  writer.Raw(FieldKind::kValue, numbers, "0123456789");
  const std::string nested = writer.Key("array.arrays", kArray);
  writer.Array(nested, kArray, 2);
  writer.Array(nested, 0, 2);
  writer.Raw(FieldKind::kValue, nested, "xy");
  writer.Array(nested, kString, 1);
  writer.Text(nested, "z");

  struct Tensor {
    const char* name;
    std::vector<uint64_t> dims;
    uint32_t type;
    uint64_t bytes;
  };
  const std::vector<Tensor> tensors = {{"a.weight", {32, 3}, 8, 102},
                                       {"b.weight", {5}, 0, 20},
                                       {"c.weight", {256, 1, 2}, 12, 288},
                                       {"d.weight", {2, 2, 2, 2}, 1, 32}};
  uint64_t offset = 0;
  for (const Tensor& tensor : tensors) {
    const std::string owner = absl::StrCat("tensor '", tensor.name, "'");
    writer.Put<uint64_t>(FieldKind::kLength, "a tensor's name", strlen(tensor.name));
    writer.Raw(FieldKind::kText, "a tensor's name", tensor.name);
    writer.Put(FieldKind::kDims, owner, static_cast<uint32_t>(tensor.dims.size()));
    for (const uint64_t dim : tensor.dims) writer.Put(FieldKind::kDim, owner, dim);
    writer.Put(FieldKind::kGgmlType, owner, tensor.type);
    writer.Put(FieldKind::kOffset, owner, offset);
    offset += (tensor.bytes + 63) / 64 * 64;
  }
  for (const Tensor& tensor : tensors) {
    const std::string owner = absl::StrCat("tensor '", tensor.name, "'");
    writer.Align(64, owner);
    writer.Raw(FieldKind::kData, owner, std::string(tensor.bytes, '\2'));
  }
  return writer.Take();
}

bool IsGguf(absl::string_view file) { return Reader(file).IsValid(); }

}  // namespace weft::corruption
