#include "frontends/file_weights.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "frontends/dequantize.h"
#include "runtime/abi/check.h"
#include "runtime/base/status_macros.h"

namespace weft {

absl::StatusOr<const TensorEntry*> FileWeights::Find(const ir::SourceTensor& tensor) const {
  const TensorEntry* entry = files_.Find(tensor.name);
  if (entry == nullptr || entry->type != tensor.dtype || entry->dims != tensor.dims) {
    return absl::NotFoundError(absl::StrCat(
        "the model's files hold no tensor ", QuoteName(tensor.name), " of ", Name(tensor.dtype),
        " ", DimsToString(tensor.dims), "; the graph is that of another model"));
  }
  return entry;
}

absl::Status FileWeights::Read(const ir::SourceTensor& tensor, int64_t begin,
                               absl::Span<float> out) const {
  WEFT_ASSIGN_OR_RETURN(const TensorEntry* entry, Find(tensor));
  if (!CanDequantize(entry->type)) {
    return absl::InvalidArgumentError(absl::StrCat("tensor ", QuoteName(tensor.name), " holds ",
                                                   Name(entry->type), ", which are no weights"));
  }
  const DataTypeInfo& info = GetInfo(entry->type);
  const auto block = static_cast<int64_t>(info.block_values);
  const auto count = static_cast<int64_t>(out.size());
  const int64_t values = static_cast<int64_t>(entry->bytes) / info.block_bytes * block;
  WEFT_CHECK(begin >= 0 && begin % block == 0 && count % block == 0 && begin <= values &&
             count <= values - begin);
  const uint8_t* bytes = files_.Bytes(*entry).data() + begin / block * info.block_bytes;
  Dequantize(entry->type, bytes, count, out.data());
  return absl::OkStatus();
}

absl::StatusOr<absl::Span<const uint8_t>> FileWeights::Raw(const ir::SourceTensor& tensor) const {
  WEFT_ASSIGN_OR_RETURN(const TensorEntry* entry, Find(tensor));
  return files_.Bytes(*entry);
}

void FileWeights::Release(const ir::SourceTensor& tensor) const {
  const absl::StatusOr<const TensorEntry*> entry = Find(tensor);
  if (!entry.ok()) return;
  files_.files()[(*entry)->file]->Advise((*entry)->offset, (*entry)->bytes,
                                         MappedFile::Access::kDontNeed);
}

absl::Status FileWeights::CheckUnchanged() const {
  for (const auto& file : files_.files()) WEFT_RETURN_IF_ERROR(file->CheckUnchanged());
  return absl::OkStatus();
}

}  // namespace weft
