#include "frontends/gguf.h"

#include <absl/container/flat_hash_set.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <bit>
#include <memory>
#include <optional>
#include <utility>

#include "runtime/base/checked_reader.h"
#include "runtime/base/mapped_file.h"
#include "runtime/base/status_macros.h"

namespace weft {
namespace {

constexpr uint64_t kDefaultAlignment = 32;
constexpr uint64_t kMaxAlignment = 1 << 20;
// The specification's limit for keys; tensor names are far shorter (64 bytes).
constexpr uint64_t kMaxNameBytes = 65535;
// Models have some 50 keys and up to 100,000 tensors (experts included). The limits bound the
// memory that a hostile file of minimal entries can ask for.
constexpr uint64_t kMaxKeys = 1 << 16;
constexpr uint64_t kMaxTensors = 1 << 20;
// Smallest entries: a key's length, type and one byte of value; a tensor's name length, dim count,
// type and offset.
constexpr uint64_t kMinKeyBytes = 8 + 4 + 1;
constexpr uint64_t kMinTensorBytes = 8 + 4 + 4 + 8;
constexpr uint32_t kMaxDims = 4;

class Parser {
 public:
  Parser(absl::Span<const uint8_t> bytes, const std::string& name)
      : bytes_(bytes), reader_(bytes, name), header_{.metadata = GgufMetadata(name)} {}

  absl::StatusOr<GgufHeader> Parse() {
    WEFT_RETURN_IF_ERROR(ReadMagicAndVersion());
    WEFT_ASSIGN_OR_RETURN(const uint64_t tensor_count,
                          ReadCount("the tensor count", kMinTensorBytes, kMaxTensors));
    WEFT_ASSIGN_OR_RETURN(const uint64_t key_count,
                          ReadCount("the key count", kMinKeyBytes, kMaxKeys));
    for (uint64_t i = 0; i < key_count; ++i) WEFT_RETURN_IF_ERROR(ReadKeyAndValue());
    WEFT_RETURN_IF_ERROR(ReadAlignment());
    WEFT_RETURN_IF_ERROR(RefuseSplitModels());
    header_.tensors.reserve(tensor_count);
    for (uint64_t i = 0; i < tensor_count; ++i) WEFT_RETURN_IF_ERROR(ReadTensor());
    WEFT_RETURN_IF_ERROR(PlaceTensors());
    return std::move(header_);
  }

 private:
  absl::Status ReadMagicAndVersion() {
    if (bytes_.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(reader_.name(), ": is empty (incomplete download?)"));
    }
    const auto start = absl::string_view(reinterpret_cast<const char*>(bytes_.data()),
                                         std::min<size_t>(bytes_.size(), 64));
    if (absl::StartsWith(start, "version https://git-lfs")) {
      return absl::InvalidArgumentError(absl::StrCat(
          reader_.name(),
          ": is a Git LFS pointer, not the model; fetch the file with `git lfs pull`"));
    }
    if (absl::StartsWith(start, "lmgg") || absl::StartsWith(start, "tjgg") ||
        absl::StartsWith(start, "fmgg")) {
      return absl::InvalidArgumentError(absl::StrCat(
          reader_.name(),
          ": is a GGML file from before GGUF; convert the model again with current tools"));
    }
    if (!absl::StartsWith(start, "GGUF")) {
      return absl::InvalidArgumentError(
          absl::StrCat(reader_.name(), ": is not a GGUF file (it does not start with \"GGUF\")"));
    }
    WEFT_RETURN_IF_ERROR(reader_.Skip(4, "magic"));
    WEFT_ASSIGN_OR_RETURN(header_.version, reader_.ReadU32("version"));
    // Versions are small, so the low half of a little-endian one is never zero and that of a
    // big-endian one always is.
    if ((header_.version & 0xffffu) == 0 && header_.version != 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          reader_.name(),
          ": is a big-endian GGUF file; convert the model again for little-endian machines"));
    }
    if (header_.version != 2 && header_.version != 3) {
      return absl::InvalidArgumentError(absl::StrCat(
          reader_.name(), ": byte 4: GGUF version ", header_.version, " is not known (2 and 3 are)",
          header_.version == 1 ? "; convert the model again with current tools" : ""));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> ReadCount(absl::string_view what, uint64_t min_bytes_each,
                                     uint64_t limit) {
    const uint64_t at = reader_.offset();
    WEFT_ASSIGN_OR_RETURN(const uint64_t count, reader_.ReadCount(min_bytes_each, what));
    if (count > limit) {
      return absl::InvalidArgumentError(absl::StrCat(reader_.name(), ": ", what, " at byte ", at,
                                                     " is ", count, ", more than the ", limit,
                                                     " that are supported"));
    }
    return count;
  }

  absl::StatusOr<GgufType> ReadType(absl::string_view what) {
    const uint64_t at = reader_.offset();
    WEFT_ASSIGN_OR_RETURN(const uint32_t type, reader_.ReadU32(what));
    if (type > static_cast<uint32_t>(GgufType::kF64)) {
      return absl::InvalidArgumentError(absl::StrCat(reader_.name(), ": byte ", at, ": ", what,
                                                     " is ", type, ", which GGUF does not define"));
    }
    return static_cast<GgufType>(type);
  }

  absl::Status ReadKeyAndValue() {
    const uint64_t at = reader_.offset();
    WEFT_ASSIGN_OR_RETURN(const absl::string_view key, reader_.ReadString(kMaxNameBytes, "a key"));
    if (key.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(reader_.name(), ": byte ", at, ": a key is empty"));
    }
    const std::string what = absl::StrCat("key ", QuoteName(key));
    GgufValue value;
    WEFT_ASSIGN_OR_RETURN(value.type, ReadType(absl::StrCat("the type of ", what)));
    switch (value.type) {
      case GgufType::kString: {
        WEFT_ASSIGN_OR_RETURN(const absl::string_view text,
                              reader_.ReadString(bytes_.size(), what));
        value.bytes =
            absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(text.data()), text.size());
        break;
      }
      case GgufType::kArray:
        WEFT_RETURN_IF_ERROR(ReadArray(what, value));
        break;
      default: {
        WEFT_ASSIGN_OR_RETURN(value.bytes, reader_.ReadBytes(ScalarBytes(value.type), what));
        break;
      }
    }
    const GgufType scalar = value.type == GgufType::kArray ? value.element : value.type;
    if (scalar == GgufType::kBool) {
      const auto* const wrong =
          std::find_if(value.bytes.begin(), value.bytes.end(), [](uint8_t b) { return b > 1; });
      if (wrong != value.bytes.end()) {
        return absl::InvalidArgumentError(absl::StrCat(reader_.name(), ": byte ",
                                                       wrong - bytes_.data(), ": ", what,
                                                       " holds a bool that is neither 0 nor 1"));
      }
    }
    value.offset = at;
    if (!header_.metadata.Add(key, std::move(value))) {
      return absl::InvalidArgumentError(
          absl::StrCat(reader_.name(), ": byte ", at, ": ", what, " occurs a second time"));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> ReadArrayCount(const std::string& what, GgufType element) {
    return reader_.ReadCount(MinBytes(element), absl::StrCat("the element count of ", what));
  }

  static constexpr uint64_t kMinStringBytes = 8;     // its length
  static constexpr uint64_t kMinArrayBytes = 4 + 8;  // type and count

  static uint64_t MinBytes(GgufType type) {
    if (type == GgufType::kString) return kMinStringBytes;
    if (type == GgufType::kArray) return kMinArrayBytes;
    return ScalarBytes(type);
  }

  absl::Status ReadArray(const std::string& what, GgufValue& value) {
    WEFT_ASSIGN_OR_RETURN(value.element, ReadType(absl::StrCat("the element type of ", what)));
    WEFT_ASSIGN_OR_RETURN(value.count, ReadArrayCount(what, value.element));
    if (value.element == GgufType::kString) {
      value.strings.reserve(value.count);
      for (uint64_t i = 0; i < value.count; ++i) {
        WEFT_ASSIGN_OR_RETURN(const absl::string_view text,
                              reader_.ReadString(bytes_.size(), what));
        value.strings.push_back(text);
      }
      return absl::OkStatus();
    }
    const uint64_t start = reader_.offset();
    if (value.element == GgufType::kArray) {
      for (uint64_t i = 0; i < value.count; ++i) WEFT_RETURN_IF_ERROR(SkipInnerArray(what));
    } else {
      WEFT_RETURN_IF_ERROR(reader_.Skip(value.count * ScalarBytes(value.element), what));
    }
    value.bytes = bytes_.subspan(start, reader_.offset() - start);
    return absl::OkStatus();
  }

  // No key that a model needs is an array of arrays; they are checked and passed over, and deeper
  // nesting is refused.
  absl::Status SkipInnerArray(const std::string& what) {
    WEFT_ASSIGN_OR_RETURN(const GgufType element,
                          ReadType(absl::StrCat("an inner element type of ", what)));
    if (element == GgufType::kArray) {
      return reader_.Error(absl::StrCat(what, " nests arrays more than two deep"));
    }
    WEFT_ASSIGN_OR_RETURN(const uint64_t count, ReadArrayCount(what, element));
    if (element != GgufType::kString) return reader_.Skip(count * ScalarBytes(element), what);
    for (uint64_t i = 0; i < count; ++i) {
      WEFT_RETURN_IF_ERROR(reader_.ReadString(bytes_.size(), what).status());
    }
    return absl::OkStatus();
  }

  absl::Status ReadAlignment() {
    WEFT_ASSIGN_OR_RETURN(alignment_,
                          header_.metadata.GetU32Or("general.alignment", kDefaultAlignment));
    if (!std::has_single_bit(alignment_) || alignment_ > kMaxAlignment) {
      return absl::InvalidArgumentError(absl::StrCat(
          reader_.name(), ": byte ", header_.metadata.Find("general.alignment")->offset,
          ": key 'general.alignment' is ", alignment_, ", not a power of two up to ",
          kMaxAlignment));
    }
    return absl::OkStatus();
  }

  absl::Status RefuseSplitModels() {
    WEFT_ASSIGN_OR_RETURN(const uint32_t parts, header_.metadata.GetU32Or("split.count", 0));
    if (parts > 1) {
      return absl::InvalidArgumentError(
          absl::StrCat(reader_.name(), ": byte ", header_.metadata.Find("split.count")->offset,
                       ": key 'split.count' says that it is one of ", parts,
                       " parts of a split model; merge them (llama-gguf-split --merge) first"));
    }
    return absl::OkStatus();
  }

  absl::Status ReadTensor() {
    const uint64_t at = reader_.offset();
    TensorEntry entry;
    table_offsets_.push_back(at);
    WEFT_ASSIGN_OR_RETURN(const absl::string_view name,
                          reader_.ReadString(kMaxNameBytes, "a tensor's name"));
    entry.name = std::string(name);
    const std::string what = absl::StrCat("tensor ", QuoteName(name));
    const auto error = [&](absl::string_view message) {
      return absl::InvalidArgumentError(
          absl::StrCat(reader_.name(), ": ", what, " (byte ", at, ") ", message));
    };
    if (!tensor_names_.insert(name).second) return error("occurs a second time");
    WEFT_ASSIGN_OR_RETURN(const uint32_t dim_count, reader_.ReadU32(what));
    if (dim_count > kMaxDims)
      return error(absl::StrCat("has ", dim_count, " dims; GGUF allows ", kMaxDims));
    for (uint32_t i = 0; i < dim_count; ++i) {
      WEFT_ASSIGN_OR_RETURN(const int64_t dim, reader_.ReadI64(what));
      entry.dims.push_back(dim);
    }
    std::reverse(entry.dims.begin(), entry.dims.end());
    WEFT_ASSIGN_OR_RETURN(const uint32_t ggml_type, reader_.ReadU32(what));
    const std::optional<DataType> type = DataTypeFromGgml(ggml_type);
    if (!type.has_value()) {
      return error(absl::StrCat(
          "has the ggml type ", ggml_type,
          ", which Weft does not know; use a file in a common format such as Q8_0 or Q4_K_M"));
    }
    entry.type = *type;
    const absl::StatusOr<uint64_t> bytes = TensorBytes(entry.type, entry.dims);
    if (!bytes.ok()) return error(bytes.status().message());
    entry.bytes = *bytes;
    WEFT_ASSIGN_OR_RETURN(entry.offset, reader_.ReadU64(what));
    if (entry.offset % alignment_ != 0) {
      return error(absl::StrCat("has the offset ", entry.offset, ", no multiple of the alignment ",
                                alignment_));
    }
    header_.tensors.push_back(std::move(entry));
    return absl::OkStatus();
  }

  absl::Status TensorError(size_t i, absl::string_view message) const {
    return absl::InvalidArgumentError(absl::StrCat(reader_.name(), ": tensor ",
                                                   QuoteName(header_.tensors[i].name), " (byte ",
                                                   table_offsets_[i], ") ", message));
  }

  // Makes the offsets absolute and checks that the tensors lie in the file, and in a row: each
  // begins where the one before ends, rounded up to the alignment.
  absl::Status PlaceTensors() {
    if (header_.tensors.empty()) return absl::OkStatus();
    const uint64_t data_start = CheckedAlign(reader_.offset(), alignment_).value_or(~uint64_t{0});
    std::vector<size_t> sorted(header_.tensors.size());
    for (size_t i = 0; i < sorted.size(); ++i) {
      sorted[i] = i;
      TensorEntry& entry = header_.tensors[i];
      const std::optional<uint64_t> begin = CheckedAdd(entry.offset, data_start);
      const std::optional<uint64_t> end = CheckedAdd(begin.value_or(~uint64_t{0}), entry.bytes);
      if (!begin.has_value() || !end.has_value() || *end > bytes_.size()) {
        return TensorError(i, absl::StrCat("has ", entry.bytes, " bytes at offset ", entry.offset,
                                           " of the data (which starts at byte ", data_start,
                                           "), beyond the end of a file of ", bytes_.size(),
                                           " bytes (truncated download?)"));
      }
      entry.offset = *begin;
    }
    std::sort(sorted.begin(), sorted.end(), [this](size_t a, size_t b) {
      const TensorEntry& first = header_.tensors[a];
      const TensorEntry& second = header_.tensors[b];
      return std::pair(first.offset, first.bytes) < std::pair(second.offset, second.bytes);
    });
    // Overlaps first: what overlaps may leave a hole elsewhere.
    for (size_t i = 1; i < sorted.size(); ++i) {
      const TensorEntry& before = header_.tensors[sorted[i - 1]];
      const uint64_t begin = header_.tensors[sorted[i]].offset;
      if (begin < before.offset + before.bytes) {
        return TensorError(sorted[i], absl::StrCat("begins at byte ", begin, " and overlaps ",
                                                   QuoteName(before.name)));
      }
    }
    uint64_t end = data_start;
    for (size_t i = 0; i < sorted.size(); ++i) {
      const TensorEntry& entry = header_.tensors[sorted[i]];
      const std::optional<uint64_t> expected = CheckedAlign(end, alignment_);
      if (entry.offset != expected) {
        return TensorError(
            sorted[i],
            absl::StrCat("begins at byte ", entry.offset, ", behind a hole",
                         i == 0 ? "" : " after " + QuoteName(header_.tensors[sorted[i - 1]].name),
                         ": byte ", *expected, " was expected"));
      }
      end = entry.offset + entry.bytes;
    }
    return absl::OkStatus();
  }

  absl::Span<const uint8_t> bytes_;
  ByteReader reader_;
  GgufHeader header_;
  std::vector<uint64_t> table_offsets_;  // of the tensors' entries, for messages
  absl::flat_hash_set<absl::string_view> tensor_names_;
  uint64_t alignment_ = kDefaultAlignment;
};

}  // namespace

absl::StatusOr<GgufHeader> ParseGguf(absl::Span<const uint8_t> file_bytes,
                                     const std::string& name) {
  return Parser(file_bytes, name).Parse();
}

absl::StatusOr<GgufFile> OpenGguf(const std::string& path) {
  WEFT_ASSIGN_OR_RETURN(std::shared_ptr<const MappedFile> file,
                        MappedFile::Open(path, /*guarded=*/true));
  absl::StatusOr<GgufHeader> header = ParseGguf(file->bytes(), path);
  // Rather than what follows from it.
  WEFT_RETURN_IF_ERROR(file->CheckWhole());
  WEFT_RETURN_IF_ERROR(header.status());
  WEFT_ASSIGN_OR_RETURN(TensorFiles tensors,
                        TensorFiles::Create({std::move(file)}, std::move(header->tensors)));
  return GgufFile{.version = header->version,
                  .metadata = std::move(header->metadata),
                  .tensors = std::move(tensors)};
}

}  // namespace weft
