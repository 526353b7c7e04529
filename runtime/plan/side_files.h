// Weights of a plan in files of their own (docs/plan-format.md): for file systems and uploads that
// do not take files as large as a model's.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <absl/types/span.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/base/atomic_file.h"
#include "runtime/base/mapped_block.h"

namespace weft {

inline constexpr absl::string_view kSideFileMagic = "WEFTPART";
// Stand before the weights in each file.
inline constexpr uint64_t kSideFileHeaderBytes = 4096;
inline constexpr uint64_t kMinSideFileBytes = 2 * kSideFileHeaderBytes;

// What the plan knows of one.
struct SideFile {
  std::string name;       // without a folder: it stands beside the plan
  uint64_t bytes = 0;     // of weights; a multiple of 4096 but of the last file
  uint64_t checksum = 0;  // of these
  bool operator==(const SideFile&) const = default;
};

std::string SideFilesToJson(absl::Span<const SideFile> files);
// Also checks that names are plain and sizes fit. Errors open with `where`.
absl::StatusOr<std::vector<SideFile>> SideFilesFromJson(absl::string_view json,
                                                        const std::string& where);

// Maps side file number `index`, from 0, of the plan at `plan_path`. Errors name the file: missing;
// of another size; of another plan, or another number, than its header says.
absl::StatusOr<MappedBlock::Part> OpenSideFile(const std::string& plan_path,
                                               absl::Span<const SideFile> files, size_t index);

// Writes them. They appear with Publish(), and go again unless Keep() follows.
class SideFileWriter {
 public:
  // For `bytes` of weights of the plan at `plan_path`: NAME-00001-of-0000N.weftw beside NAME.weft,
  // each of at most `file_bytes`, which is at least kMinSideFileBytes. Errors: too many files; no
  // room on the device.
  static absl::StatusOr<std::unique_ptr<SideFileWriter>> Create(const std::string& plan_path,
                                                                uint64_t bytes,
                                                                uint64_t file_bytes);
  ~SideFileWriter();
  SideFileWriter(const SideFileWriter&) = delete;
  SideFileWriter& operator=(const SideFileWriter&) = delete;

  // Zeroed, and written by the caller until Finish().
  absl::Span<uint8_t> weights() const { return weights_; }
  // Checksums what is there; writing ends.
  absl::StatusOr<std::vector<SideFile>> Finish();
  absl::Status Flush();
  absl::Status Publish();
  void Keep() { published_.clear(); }

 private:
  SideFileWriter() = default;

  std::vector<std::unique_ptr<AtomicFileWriter>> writers_;
  std::vector<SideFile> files_;
  std::vector<std::string> published_;  // paths
  absl::Span<uint8_t> weights_;
};

}  // namespace weft
