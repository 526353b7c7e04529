// The values of a model's tensors, from its mapped files.
#pragma once

#include <utility>

#include "frontends/tensor_file.h"
#include "ir/weight_reader.h"

namespace weft {

// Errors: a tensor that the files do not hold with this type and these dims (a graph of another
// model), and one of a type that has no values as floats.
class FileWeights : public ir::WeightReader {
 public:
  explicit FileWeights(TensorFiles files) : files_(std::move(files)) {}

  absl::Status Read(const ir::SourceTensor& tensor, int64_t begin,
                    absl::Span<float> out) const override;
  absl::StatusOr<absl::Span<const uint8_t>> Raw(const ir::SourceTensor& tensor) const override;
  void Release(const ir::SourceTensor& tensor) const override;
  absl::Status CheckUnchanged() const override;

  const TensorFiles& files() const { return files_; }

 private:
  absl::StatusOr<const TensorEntry*> Find(const ir::SourceTensor& tensor) const;

  TensorFiles files_;
};

}  // namespace weft
