#include "frontends/tensor_file.h"

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <limits>
#include <optional>
#include <utility>

#include "runtime/abi/check.h"
#include "runtime/base/checked_reader.h"

namespace weft {

absl::StatusOr<uint64_t> TensorBytes(DataType type, absl::Span<const int64_t> dims) {
  if (dims.size() > kMaxTensorDims) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", dims.size(), " dims; at most ", kMaxTensorDims, " are possible"));
  }
  const std::optional<int64_t> values = CheckedProduct(dims);
  if (!values.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat("has impossible dims ", DimsToString(dims)));
  }
  const DataTypeInfo& info = GetInfo(type);
  const int64_t row = dims.empty() ? 1 : dims.back();
  if (row % info.block_values != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("has rows of ", row, " values, which is no multiple of the ",
                     info.block_values, " in a block of ", info.name));
  }
  const auto blocks = static_cast<uint64_t>(*values / info.block_values);
  const std::optional<uint64_t> bytes = CheckedMul(blocks, static_cast<uint64_t>(info.block_bytes));
  if (!bytes.has_value() || *bytes > std::numeric_limits<int64_t>::max()) {
    return absl::InvalidArgumentError(absl::StrCat("has impossible dims ", DimsToString(dims)));
  }
  return *bytes;
}

std::string DimsToString(absl::Span<const int64_t> dims) {
  return absl::StrCat("[", absl::StrJoin(dims, ", "), "]");
}

std::string QuoteName(absl::string_view name) {
  constexpr size_t kMaxShown = 120;
  const bool cut = name.size() > kMaxShown;
  return absl::StrCat("'", absl::CHexEscape(name.substr(0, kMaxShown)), cut ? "…'" : "'");
}

absl::StatusOr<TensorFiles> TensorFiles::Create(
    std::vector<std::shared_ptr<const MappedFile>> files, std::vector<TensorEntry> entries) {
  TensorFiles result;
  result.index_.reserve(entries.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    const TensorEntry& entry = entries[i];
    WEFT_CHECK(entry.file >= 0 && static_cast<size_t>(entry.file) < files.size());
    const uint64_t file_bytes = files[entry.file]->bytes().size();
    WEFT_CHECK(entry.offset <= file_bytes && entry.bytes <= file_bytes - entry.offset);
    const auto [position, is_new] = result.index_.emplace(entry.name, i);
    if (!is_new) {
      return absl::InvalidArgumentError(absl::StrCat(
          files[entry.file]->path(), ": tensor ", QuoteName(entry.name),
          " occurs a second time (first in ", files[entries[position->second].file]->path(), ")"));
    }
  }
  result.files_ = std::move(files);
  result.tensors_ = std::move(entries);
  return result;
}

const TensorEntry* TensorFiles::Find(absl::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

absl::Span<const uint8_t> TensorFiles::Bytes(const TensorEntry& tensor) const {
  WEFT_CHECK(tensor.file >= 0 && static_cast<size_t>(tensor.file) < files_.size());
  return files_[tensor.file]->bytes().subspan(tensor.offset, tensor.bytes);
}

}  // namespace weft
