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
#include "runtime/plan/side_files.h"

namespace weft {

// The file appears at its path with Commit(), whole, or not at all (atomic_file.h). Each
// kind and index is added once; adding one twice is a bug of the caller. After an error only
// destruction makes sense.
class PlanWriter {
 public:
  // Also an error: a path that is no regular file (the header is written last). With `split_bytes`,
  // at least kMinSideFileBytes, the weights go to side files of at most so many bytes, which appear
  // and stay with the plan alone.
  static absl::StatusOr<std::unique_ptr<PlanWriter>> Create(const std::string& path,
                                                            uint64_t split_bytes = 0);

  absl::Status AddSection(PlanSection kind, absl::Span<const uint8_t> bytes, uint32_t index = 0);
  absl::Status AddSection(PlanSection kind, absl::string_view text, uint32_t index = 0);

  // The weights are written where files are mapped, zeroed, until EndWeights(); between the two no
  // other section is added. An error where the device has no room for them. Pages that are done
  // with may be given back meanwhile (weight_pages.h).
  absl::StatusOr<absl::Span<uint8_t>> BeginWeights(uint64_t bytes);
  absl::Status EndWeights();

  absl::Status Commit();

 private:
  PlanWriter(std::string path, uint64_t split_bytes, std::unique_ptr<AtomicFileWriter> file)
      : path_(std::move(path)), split_bytes_(split_bytes), file_(std::move(file)) {}
  absl::Status Begin(PlanSection kind, uint32_t index = 0);

  const std::string path_;
  const uint64_t split_bytes_;  // 0: no side files
  std::unique_ptr<AtomicFileWriter> file_;
  std::unique_ptr<SideFileWriter> side_files_;
  std::vector<PlanEntry> entries_;
  std::optional<absl::Span<uint8_t>> weights_;  // while they are written; the last entry's
};

}  // namespace weft
