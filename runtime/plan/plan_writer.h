// Writes a plan file, section by section; weights into the mapped file, as they are packed.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <absl/types/span.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/base/atomic_file.h"
#include "runtime/plan/checksum.h"
#include "runtime/plan/plan_format.h"

namespace weft {

// The file appears at its path with Commit(), whole, or not at all (atomic_file.h). Each
// kind and index is added once; adding one twice is a bug of the caller. After an error only
// destruction makes sense.
class PlanWriter {
 public:
  // Also an error: a path that is no regular file (the header is written last).
  static absl::StatusOr<std::unique_ptr<PlanWriter>> Create(const std::string& path);

  absl::Status AddSection(PlanSection kind, absl::Span<const uint8_t> bytes, uint32_t index = 0);
  absl::Status AddSection(PlanSection kind, absl::string_view text, uint32_t index = 0);

  // The weights are written where the file is mapped, zeroed, until EndWeights(); between the two
  // no other section is added. An error where the device has no room for them.
  absl::StatusOr<absl::Span<uint8_t>> BeginWeights(uint64_t bytes);
  void EndWeights();

  absl::Status Commit();

 private:
  explicit PlanWriter(std::unique_ptr<AtomicFileWriter> file) : file_(std::move(file)) {}
  absl::Status Begin(PlanSection kind, uint32_t index = 0);

  std::unique_ptr<AtomicFileWriter> file_;
  std::vector<PlanEntry> entries_;
  std::optional<absl::Span<uint8_t>> weights_;  // while they are written; the last entry's
};

}  // namespace weft
