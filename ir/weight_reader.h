// How the compiler gets at the values of a model's tensors. Front ends implement it over their
// mapped files.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "ir/module.h"

namespace weft::ir {

class WeightReader {
 public:
  virtual ~WeightReader() = default;

  // Values [begin, begin + out.size()) of the tensor in its file's row-major order, converted to
  // F32. `begin` and the count are multiples of the block size of its type. Thread-safe.
  virtual absl::Status Read(const SourceTensor& tensor, int64_t begin,
                            absl::Span<float> out) const = 0;

  // The tensor's bytes as the file holds them. Valid as long as the reader.
  virtual absl::StatusOr<absl::Span<const uint8_t>> Raw(const SourceTensor& tensor) const = 0;

  // The caller will not soon read the tensor again: its pages may be dropped from memory.
  virtual void Release(const SourceTensor& tensor) const = 0;

  // An error where what was read so far is not what the files hold: one lost its end or was written
  // to meanwhile. To be asked after the last use of what Read and Raw gave.
  virtual absl::Status CheckUnchanged() const { return absl::OkStatus(); }
};

}  // namespace weft::ir
