// Writes safetensors files (safetensors.h has the format), whole or in pieces.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/abi/data_type.h"
#include "runtime/base/atomic_file.h"

namespace weft {

// A tensor to write; `type` is one that SafetensorsDtype knows.
struct SafetensorsEntry {
  std::string name;
  DataType type = DataType::kF32;
  std::vector<int64_t> dims;
};

// For files larger than memory: the header first, then the data in pieces of any size. The file
// appears with Commit() or not at all. Errors name `path`.
class SafetensorsWriter {
 public:
  // The header tells where each tensor will lie, so all are named beforehand.
  static absl::StatusOr<std::unique_ptr<SafetensorsWriter>> Create(
      const std::string& path, absl::Span<const SafetensorsEntry> entries);

  // The next bytes of the tensors' data, in the order of the entries; no more than they have.
  absl::Status Append(absl::Span<const uint8_t> bytes);
  // When all bytes have been appended.
  absl::Status Commit();

 private:
  SafetensorsWriter(std::unique_ptr<AtomicFileWriter> file, uint64_t missing)
      : file_(std::move(file)), missing_(missing) {}

  std::unique_ptr<AtomicFileWriter> file_;
  uint64_t missing_;  // bytes of data not yet appended
};

struct SafetensorsTensor {
  std::string name;
  DataType type = DataType::kF32;
  std::vector<int64_t> dims;
  absl::Span<const uint8_t> bytes;  // exactly TensorBytes(type, dims)
};

// Writes `tensors` in their order; the file appears whole or not at all. The data starts at a
// multiple of 8 bytes.
absl::Status WriteSafetensors(const std::string& path, absl::Span<const SafetensorsTensor> tensors);

}  // namespace weft
