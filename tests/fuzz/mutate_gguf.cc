#include <algorithm>
#include <cstring>
#include <optional>

#include "absl/strings/str_cat.h"
#include "tests/fuzz/mutate.h"

namespace weft::fuzz {
namespace {

// The format of ggml's docs/gguf.md, taken apart with no more checks than that takes.
constexpr uint32_t kString = 8, kArray = 9, kTypes = 13;
constexpr uint64_t kScalarBytes[kTypes] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
constexpr uint64_t kAlignment = 32;
// Of ggml's types: values of a block, and its bytes; zeros where there is no such type.
struct Block {
  uint64_t values, bytes;
};
constexpr Block kBlocks[] = {
    {1, 4},    {1, 2},    {32, 18},  {32, 20},   {},         {},         {32, 22},   {32, 24},
    {32, 34},  {},        {256, 84}, {256, 110}, {256, 144}, {256, 176}, {256, 210}, {256, 292},
    {256, 66}, {256, 74}, {256, 98}, {256, 50},  {32, 18},   {256, 110}, {256, 82},  {256, 136},
    {1, 1},    {1, 2},    {1, 4},    {1, 8},     {1, 8},     {256, 56},  {1, 2},     {},
    {},        {},        {256, 54}, {256, 66},  {},         {},         {},         {32, 17}};

struct Value {
  uint32_t type = 0;
  uint32_t element = 0;               // of an array
  std::vector<std::string> elements;  // of an array; otherwise the one value
};
struct Pair {
  std::string key;
  Value value;
};
struct Tensor {
  std::string name;
  std::vector<uint64_t> dims;
  uint32_t type = 0;
  uint64_t offset = 0;
};
struct File {
  uint32_t version = 3;
  std::vector<Pair> pairs;
  std::vector<Tensor> tensors;
  std::string data;
};

uint64_t Aligned(uint64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

class Reader {
 public:
  explicit Reader(absl::string_view bytes) : bytes_(bytes) {}

  template <typename T>
  T Number() {
    T value = 0;
    const absl::string_view bytes = Bytes(sizeof value);
    if (!failed_) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  absl::string_view Bytes(uint64_t n) {
    if (n > bytes_.size() - at_) failed_ = true;
    if (failed_) return {};
    at_ += n;
    return bytes_.substr(at_ - n, n);
  }
  std::string String() { return std::string(Bytes(Number<uint64_t>())); }
  std::string Element(uint32_t type) {
    return type == kString ? String() : std::string(Bytes(kScalarBytes[type]));
  }

  Value ReadValue() {
    Value value;
    value.type = Type();
    uint64_t count = 1;
    if (value.type == kArray) {
      value.element = Type();
      if (value.element == kArray) failed_ = true;
      count = Number<uint64_t>();
    }
    const uint32_t type = value.type == kArray ? value.element : value.type;
    for (uint64_t i = 0; i < count && !failed_; ++i) value.elements.push_back(Element(type));
    return value;
  }

  std::optional<File> Read() {
    File file;
    if (Bytes(4) != "GGUF") return std::nullopt;
    file.version = Number<uint32_t>();
    const auto tensors = Number<uint64_t>();
    const auto pairs = Number<uint64_t>();
    for (uint64_t i = 0; i < pairs && !failed_; ++i) {
      std::string key = String();
      file.pairs.push_back({std::move(key), ReadValue()});
    }
    for (uint64_t i = 0; i < tensors && !failed_; ++i) {
      Tensor tensor;
      tensor.name = String();
      const auto dims = Number<uint32_t>();
      for (uint32_t d = 0; d < dims && !failed_; ++d) tensor.dims.push_back(Number<uint64_t>());
      tensor.type = Number<uint32_t>();
      tensor.offset = Number<uint64_t>();
      file.tensors.push_back(std::move(tensor));
    }
    const uint64_t start = Aligned(at_);
    if (failed_) return std::nullopt;
    file.data = std::string(bytes_.substr(std::min<uint64_t>(start, bytes_.size())));
    return file;
  }

 private:
  uint32_t Type() {
    const auto type = Number<uint32_t>();
    if (type >= kTypes) failed_ = true;
    return type < kTypes ? type : 0;
  }

  absl::string_view bytes_;
  size_t at_ = 0;
  bool failed_ = false;
};

template <typename T>
void Append(T value, std::string& out) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}
void AppendString(const std::string& text, std::string& out) {
  Append(uint64_t{text.size()}, out);
  out += text;
}

// 0 where it is not known or more than anyone wants.
uint64_t BytesOf(const Tensor& tensor) {
  constexpr uint64_t kMost = uint64_t{1} << 30;
  const Block block = tensor.type < std::size(kBlocks) ? kBlocks[tensor.type] : Block{};
  if (block.values == 0) return 0;
  uint64_t values = 1;
  for (const uint64_t dim : tensor.dims) {
    if (dim != 0 && values > kMost / dim) return 0;
    values *= dim;
  }
  return values / block.values * block.bytes;
}

// Gives every tensor the place that it needs, one behind the other, where that is no more than
// `room` beyond what there is. What was at its old place moves with it.
void LayOut(File& file, size_t room) {
  uint64_t end = 0;
  for (const Tensor& tensor : file.tensors) end += Aligned(BytesOf(tensor));
  if (end > file.data.size() + room) return;
  std::string data;
  for (Tensor& tensor : file.tensors) {
    const uint64_t bytes = BytesOf(tensor);
    std::string own = file.data.substr(std::min<uint64_t>(tensor.offset, file.data.size()), bytes);
    own.resize(Aligned(bytes));
    tensor.offset = data.size();
    data += own;
  }
  file.data = std::move(data);
}

// Now and then another count than the true one.
uint64_t Count(uint64_t count, Random& random) {
  return random() % 64 == 0 ? MutateInteger(count, random) : count;
}

std::string Write(const File& file, Random& random) {
  std::string out = "GGUF";
  Append(file.version, out);
  Append(Count(file.tensors.size(), random), out);
  Append(Count(file.pairs.size(), random), out);
  for (const Pair& pair : file.pairs) {
    AppendString(pair.key, out);
    const Value& value = pair.value;
    Append(value.type, out);
    const bool is_array = value.type == kArray;
    if (is_array) {
      Append(value.element, out);
      Append(Count(value.elements.size(), random), out);
    }
    const uint32_t type = is_array ? value.element : value.type;
    for (std::string element : value.elements) {
      if (type == kString) {
        AppendString(element, out);
        continue;
      }
      if (type < kTypes) element.resize(kScalarBytes[type]);
      out += element;
    }
  }
  for (const Tensor& tensor : file.tensors) {
    AppendString(tensor.name, out);
    Append(static_cast<uint32_t>(tensor.dims.size()), out);
    for (const uint64_t dim : tensor.dims) Append(dim, out);
    Append(tensor.type, out);
    Append(tensor.offset, out);
  }
  out.resize(Aligned(out.size()));
  return out + file.data;
}

void ChangeElement(uint32_t type, std::string& element, size_t room, Random& random) {
  if (type == kString || random() % 2 == 0) {
    element = MutateBytes(element, room, random);
    return;
  }
  uint64_t number = 0;
  std::memcpy(&number, element.data(), std::min(element.size(), sizeof number));
  number = MutateInteger(number, random);
  std::memcpy(element.data(), &number, std::min(element.size(), sizeof number));
}

void ChangeValue(Value& value, size_t room, Random& random) {
  auto& elements = value.elements;
  const uint32_t type = value.type == kArray ? value.element : value.type;
  const size_t kind = Below(value.type == kArray ? 12 : 8, random);
  if (kind == 0) {
    (value.type == kArray && random() % 2 == 0 ? value.element : value.type) =
        static_cast<uint32_t>(Below(kTypes + 1, random));
  } else if (elements.empty()) {
    elements.emplace_back(8, '\0');
  } else if (kind < 8) {
    ChangeElement(type, elements[Below(elements.size(), random)], room, random);
  } else if (kind == 8) {
    elements.resize(Below(elements.size(), random));
  } else if (kind == 9) {
    const std::string copy = elements[Below(elements.size(), random)];
    if (copy.size() < room / 64) elements.insert(elements.end(), Below(64, random), copy);
  } else if (kind == 10) {
    elements.erase(elements.begin() + static_cast<std::ptrdiff_t>(Below(elements.size(), random)));
  } else {
    std::swap(elements[Below(elements.size(), random)], elements[Below(elements.size(), random)]);
  }
}

void ChangeTensor(Tensor& tensor, size_t room, Random& random) {
  switch (Below(6, random)) {
    case 0:
      tensor.name = MutateBytes(tensor.name, room, random);
      return;
    case 1:
      tensor.type = random() % 8 == 0 ? static_cast<uint32_t>(MutateInteger(tensor.type, random))
                                      : static_cast<uint32_t>(Below(42, random));
      return;
    case 2:
      tensor.offset = random() % 2 == 0 ? MutateInteger(tensor.offset, random)
                                        : MutateInteger(tensor.offset, random) * kAlignment;
      return;
    case 3:
      tensor.dims.resize(Below(6, random), 1);
      return;
    default:
      if (!tensor.dims.empty()) {
        uint64_t& dim = tensor.dims[Below(tensor.dims.size(), random)];
        dim = random() % 4 == 0 ? dim * 2 : MutateInteger(dim, random);
      }
  }
}

// Once more, one less, or two in the other order.
template <typename T>
void ChangeOrder(std::vector<T>& items, Random& random) {
  if (items.empty()) return;
  const size_t i = Below(items.size(), random);
  switch (Below(3, random)) {
    case 0:
      items.push_back(T(items[i]));
      return;
    case 1:
      items.erase(items.begin() + static_cast<std::ptrdiff_t>(i));
      return;
    default:
      std::swap(items[i], items[Below(items.size(), random)]);
  }
}

void Change(File& file, size_t room, Random& random) {
  const size_t kind = Below(16, random);
  if (kind < 8 && !file.pairs.empty()) {
    ChangeValue(file.pairs[Below(file.pairs.size(), random)].value, room, random);
  } else if (kind < 11 && !file.tensors.empty()) {
    ChangeTensor(file.tensors[Below(file.tensors.size(), random)], room, random);
  } else if (kind == 11) {
    ChangeOrder(file.pairs, random);
  } else if (kind == 12) {
    ChangeOrder(file.tensors, random);
  } else if (kind == 13 && !file.pairs.empty()) {
    std::string& key = file.pairs[Below(file.pairs.size(), random)].key;
    key = MutateBytes(key, room, random);
  } else if (kind == 14 && !file.data.empty()) {
    file.data = MutateBytes(file.data, room, random);
  } else {
    file.version = random() % 2 == 0 ? 2 : 3;
  }
}

}  // namespace

std::string MutateGguf(absl::string_view bytes, size_t room, Random& random) {
  std::optional<File> file = Reader(bytes).Read();
  if (!file.has_value()) return "";
  for (size_t changes = 1 + Below(3, random); changes > 0; --changes) Change(*file, room, random);
  if (random() % 2 == 0) LayOut(*file, room);
  return Write(*file, random);
}

}  // namespace weft::fuzz
