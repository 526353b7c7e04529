// Tensors as they stand in model files, whatever the format of the file.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <absl/types/span.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/abi/data_type.h"
#include "runtime/base/mapped_file.h"

namespace weft {

struct TensorEntry {
  std::string name;
  DataType type = DataType::kF32;
  std::vector<int64_t>
      dims;      // row-major, outermost first; values of a row (the last dim) are consecutive
  int file = 0;  // which of the model's files
  uint64_t offset = 0;  // absolute byte in that file
  uint64_t bytes = 0;   // rows are packed without gaps
};

// More dims than any format's tensors have.
inline constexpr int kMaxTensorDims = 8;

// Bytes that a tensor of this type and these dims occupies. An error where a dim is negative, there
// are more than kMaxTensorDims, the last dim is no multiple of the type's block, or the size does
// not fit int64_t.
absl::StatusOr<uint64_t> TensorBytes(DataType type, absl::Span<const int64_t> dims);

// "[2, 3]".
std::string DimsToString(absl::Span<const int64_t> dims);

// A name out of a file for use in a message: quoted, printable and of bounded length.
std::string QuoteName(absl::string_view name);

// The mapped files of a model and the tensors in them. Nothing is read before someone touches
// Bytes().
class TensorFiles {
 public:
  TensorFiles() = default;
  // `entries` must lie within their files (the parsers of the formats check that). A name that
  // occurs twice is an error.
  static absl::StatusOr<TensorFiles> Create(std::vector<std::shared_ptr<const MappedFile>> files,
                                            std::vector<TensorEntry> entries);

  const std::vector<std::shared_ptr<const MappedFile>>& files() const { return files_; }
  const std::vector<TensorEntry>& tensors() const { return tensors_; }
  // Null where there is none of that name.
  const TensorEntry* Find(absl::string_view name) const;
  // A tensor's bytes in its mapped file; `tensor` is one of tensors().
  absl::Span<const uint8_t> Bytes(const TensorEntry& tensor) const;

 private:
  std::vector<std::shared_ptr<const MappedFile>> files_;
  std::vector<TensorEntry> tensors_;
  absl::flat_hash_map<std::string, size_t> index_;
};

}  // namespace weft
