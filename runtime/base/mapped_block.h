// Ranges of files, mapped one after another: one block of memory, whatever files it comes from.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/base/mapped_file.h"
#include "runtime/base/truncation_guard.h"

namespace weft {

class MappedBlock {
 public:
  struct Part {
    std::shared_ptr<const MappedFile> file;
    uint64_t offset = 0;  // a multiple of 4096
    uint64_t size = 0;    // likewise, but of the last part
  };
  // The block begins at a multiple of it, and the memory up to the next one behind its end is the
  // block's as well: 2 MiB pages may be put in the place of any of it.
  static constexpr uint64_t kAlignment = uint64_t{2} << 20;

  // No part, or parts of no bytes, make an empty block. Errors: a range that is not in its file;
  // address space that cannot be had.
  static absl::StatusOr<std::shared_ptr<const MappedBlock>> Map(std::vector<Part> parts);

  ~MappedBlock();
  MappedBlock(const MappedBlock&) = delete;
  MappedBlock& operator=(const MappedBlock&) = delete;

  absl::Span<const uint8_t> bytes() const { return bytes_; }
  const std::vector<Part>& parts() const { return parts_; }

  // Reads bytes from `offset` on into `out` without touching the map.
  absl::Status Read(uint64_t offset, absl::Span<uint8_t> out) const;
  // A hint, as of MappedFile, for all bytes.
  void Advise(MappedFile::Access access) const;
  // lock_memory.h, for all bytes.
  absl::Status Lock() const;
  // DataLoss once a file was found truncated (truncation_guard.h).
  absl::Status CheckWhole() const;

 private:
  explicit MappedBlock(std::vector<Part> parts) : parts_(std::move(parts)) {}

  std::vector<Part> parts_;
  std::vector<GuardedRange> guards_;  // of the parts
  absl::Span<const uint8_t> bytes_;
};

}  // namespace weft
