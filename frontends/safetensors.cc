#include "frontends/safetensors.h"

#include <absl/container/flat_hash_set.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "runtime/abi/check.h"
#include "runtime/base/checked_reader.h"
#include "runtime/base/file_name.h"
#include "runtime/base/json_reader.h"
#include "runtime/base/read_file.h"
#include "runtime/base/status_macros.h"

namespace weft {
namespace {

using nlohmann::json;

struct DtypeName {
  absl::string_view name;
  DataType type;
};
// The first name of a type is the one written.
constexpr DtypeName kDtypes[] = {
    {"F32", DataType::kF32}, {"F16", DataType::kF16}, {"BF16", DataType::kBF16},
    {"F64", DataType::kF64}, {"I64", DataType::kI64}, {"I32", DataType::kI32},
    {"I16", DataType::kI16}, {"I8", DataType::kI8},   {"U8", DataType::kU8},
    {"BOOL", DataType::kU8},
};

std::optional<DataType> ParseDtype(absl::string_view name) {
  for (const DtypeName& dtype : kDtypes) {
    if (dtype.name == name) return dtype.type;
  }
  return std::nullopt;
}

// Builds the entries while the JSON streams by, so memory stays in proportion to the tensors,
// nesting cannot grow, and a field that stands twice is seen. Offsets in `entries` are still
// relative to the start of the data.
class HeaderHandler : public nlohmann::json_sax<json> {
 public:
  HeaderHandler(int file_index, uint64_t data_bytes)
      : file_index_(file_index), data_bytes_(data_bytes) {}

  bool null() override { return Unexpected("null"); }
  bool boolean(bool) override { return Unexpected("a boolean"); }
  bool number_integer(number_integer_t) override { return Unexpected("a negative number"); }
  bool number_float(number_float_t, const string_t&) override {
    return Unexpected("a number that is no integer");
  }
  bool binary(binary_t&) override { return Unexpected("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (state_ == State::kShape) {
      if (entry_.dims.size() >= kMaxTensorDims) return Fail("has too many dims");
      if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
        return Fail(absl::StrCat("has an impossible dim ", value));
      }
      entry_.dims.push_back(static_cast<int64_t>(value));
      return true;
    }
    if (state_ == State::kOffsets) {
      if (offsets_seen_ >= 2) return Fail("has more than two data_offsets");
      offsets_[offsets_seen_++] = value;
      return true;
    }
    return Unexpected("a number");
  }

  bool string(string_t& value) override {
    if (state_ == State::kMetadata) return true;
    if (state_ != State::kTensor || field_ != Field::kDtype) return Unexpected("a string");
    const std::optional<DataType> type = ParseDtype(value);
    if (!type.has_value()) {
      return Fail(absl::StrCat(
          "has dtype ", QuoteName(value), ", which Weft cannot read (it reads ",
          absl::StrJoin(
              kDtypes, ", ",
              [](std::string* out, const DtypeName& dtype) { absl::StrAppend(out, dtype.name); }),
          ")"));
    }
    entry_.type = *type;
    field_ = Field::kNone;
    return true;
  }

  bool start_object(std::size_t) override {
    if (state_ == State::kStart) {
      state_ = State::kHeader;
      return true;
    }
    if (state_ == State::kTensorStart) {
      state_ = State::kTensor;
      return true;
    }
    if (state_ == State::kMetadataStart) {
      state_ = State::kMetadata;
      return true;
    }
    return Unexpected("an object");
  }

  bool key(string_t& name) override {
    switch (state_) {
      case State::kHeader:
        if (!names_.insert(name).second) {
          return FailHeader(
              absl::StrCat("tensor ", QuoteName(name), " stands in the header twice"));
        }
        entry_ = TensorEntry{.name = name, .file = file_index_};
        fields_seen_ = 0;
        offsets_seen_ = 0;
        field_ = Field::kNone;
        state_ = name == "__metadata__" ? State::kMetadataStart : State::kTensorStart;
        return true;
      case State::kMetadata:
        return metadata_keys_.insert(name).second ||
               Fail(absl::StrCat("has the key ", QuoteName(name), " twice"));
      case State::kTensor:
        return StartField(name);
      default:
        return Unexpected("a key");
    }
  }

  bool end_object() override {
    if (state_ == State::kHeader) {
      state_ = State::kEnd;
      return true;
    }
    const bool is_tensor = state_ == State::kTensor;
    state_ = State::kHeader;
    return !is_tensor || FinishTensor();
  }

  bool start_array(std::size_t) override {
    if (state_ == State::kTensor && field_ == Field::kShape) {
      state_ = State::kShape;
      return true;
    }
    if (state_ == State::kTensor && field_ == Field::kOffsets) {
      state_ = State::kOffsets;
      return true;
    }
    return Unexpected("an array");
  }

  bool end_array() override {
    if (state_ == State::kOffsets && offsets_seen_ != 2) return Fail("needs two data_offsets");
    state_ = State::kTensor;
    field_ = Field::kNone;
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return FailHeader(
        absl::StrCat(state_ == State::kStart || state_ == State::kHeader || state_ == State::kEnd
                         ? "the header"
                         : absl::StrCat("tensor ", QuoteName(entry_.name)),
                     " is not valid JSON (truncated or damaged file?)"));
  }

  const std::string& error() const { return error_; }
  std::vector<TensorEntry>& entries() { return entries_; }

 private:
  enum class State {
    kStart,
    kHeader,
    kTensorStart,
    kTensor,
    kShape,
    kOffsets,
    kMetadataStart,
    kMetadata,
    kEnd,
  };
  enum class Field { kNone, kDtype, kShape, kOffsets };

  bool StartField(const std::string& name) {
    if (field_ != Field::kNone) return Fail("has a field without a value");
    if (name == "dtype") field_ = Field::kDtype;
    if (name == "shape") field_ = Field::kShape;
    if (name == "data_offsets") field_ = Field::kOffsets;
    if (field_ == Field::kNone)
      return Fail(absl::StrCat("has the unknown field ", QuoteName(name)));
    const unsigned bit = 1u << static_cast<int>(field_);
    if ((fields_seen_ & bit) != 0)
      return Fail(absl::StrCat("has the field ", QuoteName(name), " twice"));
    fields_seen_ |= bit;
    return true;
  }

  bool FinishTensor() {
    constexpr unsigned kAllFields = 0b1110;
    if (fields_seen_ != kAllFields) return Fail("needs the fields dtype, shape and data_offsets");
    const absl::StatusOr<uint64_t> bytes = TensorBytes(entry_.type, entry_.dims);
    if (!bytes.ok()) return Fail(bytes.status().message());
    if (offsets_[0] > offsets_[1]) {
      return Fail(absl::StrCat("ends at byte ", offsets_[1],
                               " of the data, before its start at byte ", offsets_[0]));
    }
    if (offsets_[1] > data_bytes_) {
      return Fail(absl::StrCat("ends at byte ", offsets_[1], " of the data, but only ", data_bytes_,
                               " bytes of data follow the header (truncated download?)"));
    }
    if (offsets_[1] - offsets_[0] != *bytes) {
      return Fail(absl::StrCat("has ", offsets_[1] - offsets_[0], " bytes, but shape ",
                               DimsToString(entry_.dims), " of ", Name(entry_.type), " needs ",
                               *bytes));
    }
    entry_.offset = offsets_[0];
    entry_.bytes = *bytes;
    entries_.push_back(std::move(entry_));
    return true;
  }

  bool FailHeader(std::string message) {
    error_ = std::move(message);
    return false;
  }
  bool Fail(absl::string_view message) {
    return FailHeader(absl::StrCat("tensor ", QuoteName(entry_.name), " ", message));
  }
  bool Unexpected(absl::string_view what) {
    return Fail(absl::StrCat("has ", what, " where the format has none"));
  }

  const int file_index_;
  const uint64_t data_bytes_;
  State state_ = State::kStart;
  Field field_ = Field::kNone;
  TensorEntry entry_;
  unsigned fields_seen_ = 0;
  uint64_t offsets_[2] = {0, 0};
  int offsets_seen_ = 0;
  absl::flat_hash_set<std::string> names_;
  absl::flat_hash_set<std::string> metadata_keys_;
  std::vector<TensorEntry> entries_;
  std::string error_;
};

// Sorted by offset, each tensor must start where the one before ends, and the last end where the
// data does.
absl::Status CheckCoverage(absl::Span<const TensorEntry> sorted, uint64_t data_bytes,
                           const std::string& name) {
  uint64_t covered = 0;
  for (const TensorEntry& entry : sorted) {
    if (entry.offset != covered) {
      return absl::InvalidArgumentError(absl::StrCat(
          name, ": tensor ", QuoteName(entry.name), " starts at byte ", entry.offset,
          " of the data, ", entry.offset < covered ? "inside the tensor before it" : "after a hole",
          " (byte ", covered, " was expected)"));
    }
    covered += entry.bytes;
  }
  if (covered != data_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": the tensors end at byte ", covered,
                                                   " of the data, but ", data_bytes,
                                                   " bytes of data follow the header"));
  }
  return absl::OkStatus();
}

constexpr uint64_t kLengthBytes = 8;  // before the header, whose length they are
constexpr absl::string_view kIndexName = "model.safetensors.index.json";

struct Shards {
  std::vector<std::string> files;                     // names in the folder
  std::map<std::string, std::string> file_of_tensor;  // what an index promises
};

absl::StatusOr<bool> IsThere(const std::string& folder, absl::string_view file) {
  WEFT_ASSIGN_OR_RETURN(const std::filesystem::file_type type,
                        FileTypeOf(absl::StrCat(folder, "/", file)));
  return type != std::filesystem::file_type::not_found;
}

absl::StatusOr<Shards> ReadIndex(const std::string& folder) {
  const std::string path = absl::StrCat(folder, "/", kIndexName);
  constexpr uint64_t kMaxIndexBytes = 100'000'000;
  constexpr size_t kMaxShards = 99'999;  // model-00001-of-99999: the names have five digits
  WEFT_ASSIGN_OR_RETURN(const std::string text, ReadRegularFile(path, kMaxIndexBytes));
  WEFT_ASSIGN_OR_RETURN(const json index, ParseJsonObject(text, path));
  if (!index.contains("weight_map") || !index["weight_map"].is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": has no object \"weight_map\" (incomplete download?)"));
  }
  Shards shards;
  std::set<std::string> files;
  for (const auto& [tensor, file] : index["weight_map"].items()) {
    if (!file.is_string()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": the shard of tensor ", QuoteName(tensor), " is not a string"));
    }
    const auto& file_name = file.get_ref<const std::string&>();
    // Shards stand beside their index; anything else would let an index point out of the folder.
    if (!IsPlainFileName(file_name)) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": the shard ", QuoteName(file_name), " of tensor ", QuoteName(tensor),
                       " is not the name of a file beside the index"));
    }
    files.insert(file_name);
    if (files.size() > kMaxShards)
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": names more than ", kMaxShards, " shards"));
    shards.file_of_tensor.emplace(tensor, file_name);
  }
  if (files.empty()) return absl::InvalidArgumentError(absl::StrCat(path, ": names no tensors"));
  shards.files.assign(files.begin(), files.end());
  std::set<std::string> missing;
  for (const std::string& file : shards.files) {
    WEFT_ASSIGN_OR_RETURN(const bool there, IsThere(folder, file));
    if (!there) missing.insert(file);
  }
  for (const auto& [tensor, file] : shards.file_of_tensor) {
    if (missing.contains(file)) {
      return absl::NotFoundError(absl::StrCat(path, ": the shard ", QuoteName(file), " of tensor ",
                                              QuoteName(tensor),
                                              " is missing (incomplete download?)"));
    }
  }
  return shards;
}

// Which files of the folder hold the weights.
absl::StatusOr<Shards> FindShards(const std::string& folder) {
  WEFT_ASSIGN_OR_RETURN(const std::filesystem::file_type type, FileTypeOf(folder));
  if (type != std::filesystem::file_type::directory)
    return absl::NotFoundError(absl::StrCat(folder, ": is not a folder (check the path)"));
  WEFT_ASSIGN_OR_RETURN(const bool is_one_file, IsThere(folder, "model.safetensors"));
  if (is_one_file) return Shards{.files = {"model.safetensors"}};
  WEFT_ASSIGN_OR_RETURN(const bool has_index, IsThere(folder, kIndexName));
  if (has_index) return ReadIndex(folder);
  Shards shards;
  std::error_code error;
  for (auto entry = std::filesystem::directory_iterator(folder, error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string file = entry->path().filename().string();
    if (absl::EndsWith(file, ".safetensors")) shards.files.push_back(file);
  }
  if (error)
    return absl::UnavailableError(
        absl::StrCat(folder, ": cannot list the folder: ", error.message()));
  if (shards.files.size() == 1) return shards;
  if (!shards.files.empty()) {
    std::sort(shards.files.begin(), shards.files.end());
    return absl::NotFoundError(absl::StrCat(
        folder, ": holds ", shards.files.size(), " *.safetensors files (", shards.files.front(),
        ", …) but no ", kIndexName, " that says how they belong together (incomplete download?)"));
  }
  const bool has_pickle = IsThere(folder, "pytorch_model.bin").value_or(false) ||
                          IsThere(folder, "pytorch_model.bin.index.json").value_or(false);
  return absl::NotFoundError(absl::StrCat(
      folder, ": holds no *.safetensors file",
      has_pickle ? "; convert its pytorch_model.bin to safetensors (transformers: save_pretrained)"
                 : " (is it the folder of a model?)"));
}

}  // namespace

absl::StatusOr<std::vector<TensorEntry>> ParseSafetensorsHeader(
    absl::Span<const uint8_t> file_bytes, const std::string& name, int file_index) {
  if (file_bytes.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": is empty (incomplete download?)"));
  }
  ByteReader reader(file_bytes, name);
  WEFT_ASSIGN_OR_RETURN(const uint64_t header_bytes, reader.ReadU64("the header's length"));
  if (header_bytes > kMaxSafetensorsHeaderBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        name, ": byte 0: a header of ", header_bytes, " bytes is beyond the format's limit of ",
        kMaxSafetensorsHeaderBytes, " (not a safetensors file?)"));
  }
  WEFT_ASSIGN_OR_RETURN(const absl::Span<const uint8_t> header,
                        reader.ReadBytes(header_bytes, "the header"));
  const uint64_t data_start = reader.offset();
  const uint64_t data_bytes = reader.remaining();

  const absl::string_view text(reinterpret_cast<const char*>(header.data()), header.size());
  if (!absl::StartsWith(text, "{")) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": byte ", kLengthBytes,
                     ": the header does not begin with '{' (not a safetensors file?)"));
  }
  HeaderHandler handler(file_index, data_bytes);
  uint64_t offset = 0;
  if (!StreamJson(text, handler, &offset)) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": near byte ", kLengthBytes + offset, ": ", handler.error()));
  }
  std::vector<TensorEntry> entries = std::move(handler.entries());
  std::sort(entries.begin(), entries.end(), [](const TensorEntry& a, const TensorEntry& b) {
    return std::pair(a.offset, a.bytes) < std::pair(b.offset, b.bytes);
  });
  WEFT_RETURN_IF_ERROR(CheckCoverage(entries, data_bytes, name));
  for (TensorEntry& entry : entries) entry.offset += data_start;
  return entries;
}

absl::StatusOr<TensorFiles> OpenSafetensorsFolder(const std::string& folder) {
  WEFT_ASSIGN_OR_RETURN(const Shards shards, FindShards(folder));
  std::vector<std::shared_ptr<const MappedFile>> files;
  std::vector<TensorEntry> entries;
  for (const std::string& shard : shards.files) {
    const std::string path = absl::StrCat(folder, "/", shard);
    WEFT_ASSIGN_OR_RETURN(std::shared_ptr<const MappedFile> file,
                          MappedFile::Open(path, /*guarded=*/true));
    absl::StatusOr<std::vector<TensorEntry>> in_shard =
        ParseSafetensorsHeader(file->bytes(), path, static_cast<int>(files.size()));
    // Rather than what follows from it.
    WEFT_RETURN_IF_ERROR(file->CheckWhole());
    WEFT_RETURN_IF_ERROR(in_shard.status());
    files.push_back(std::move(file));
    std::move(in_shard->begin(), in_shard->end(), std::back_inserter(entries));
  }
  WEFT_ASSIGN_OR_RETURN(TensorFiles result,
                        TensorFiles::Create(std::move(files), std::move(entries)));
  for (const auto& [tensor, shard] : shards.file_of_tensor) {
    const TensorEntry* entry = result.Find(tensor);
    if (entry == nullptr || shards.files[entry->file] != shard) {
      return absl::InvalidArgumentError(
          absl::StrCat(folder, "/", kIndexName, ": tensor ", QuoteName(tensor), " is not in ",
                       QuoteName(shard), " as the index says (files of different versions?)"));
    }
  }
  return result;
}

absl::StatusOr<std::vector<std::string>> FindSafetensors(const std::string& folder) {
  WEFT_ASSIGN_OR_RETURN(const Shards shards, FindShards(folder));
  std::vector<std::string> paths;
  for (const std::string& shard : shards.files) paths.push_back(absl::StrCat(folder, "/", shard));
  return paths;
}

absl::string_view SafetensorsDtype(DataType type) {
  for (const DtypeName& dtype : kDtypes) {
    if (dtype.type == type) return dtype.name;
  }
  return {};
}

}  // namespace weft
