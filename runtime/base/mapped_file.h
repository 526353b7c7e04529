// A read-only memory map of a whole file: pages are read when touched and dropped by the kernel
// when memory is short.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>
#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <string>

#include "runtime/base/truncation_guard.h"

namespace weft {

class MappedFile {
 public:
  // How a range will be used next.
  enum class Access {
    kSequential,  // read once, front to back: read ahead
    kWillNeed,    // start reading now
    kDontNeed,    // done with: give the pages back (touching them again reads them again)
  };

  // Errors name the path: missing, a folder, no regular file, no permission. An empty file is an
  // empty span. The file must not be truncated while mapped (the kernel answers a touch beyond the
  // end with SIGBUS), unless `guarded` (truncation_guard.h): then CheckWhole() tells afterwards.
  static absl::StatusOr<std::shared_ptr<const MappedFile>> Open(const std::string& path,
                                                                bool guarded = false);

  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::string& path() const { return path_; }
  // Page-aligned; lives as long as this object.
  absl::Span<const uint8_t> bytes() const { return bytes_; }

  // Reads bytes from `offset` on into `out` without touching the map. Errors: the file's, and its
  // end before that of `out`.
  absl::Status Read(uint64_t offset, absl::Span<uint8_t> out) const;

  // Maps bytes from `offset`, a multiple of 4096, at `address` too, in the place of what is mapped
  // there. Errors name the path.
  absl::Status MapAt(uint8_t* address, uint64_t offset, uint64_t size) const;

  // DataLoss where the file is shorter than it was, or, where guarded, was so when bytes() were
  // read.
  absl::Status CheckWhole() const;
  // That error.
  absl::Status Truncated() const;
  // As CheckWhole(), and DataLoss where the file was written to since it was opened, or another one
  // stands at its path: what was read of bytes() is not what a reader of the path finds.
  absl::Status CheckUnchanged() const;

  // A hint; ranges beyond the file are clipped. kDontNeed gives back only pages that lie wholly in
  // the range.
  void Advise(uint64_t offset, uint64_t size, Access access) const;

 private:
  // A version of a file, as far as stat(2) tells.
  struct Version {
    uint64_t device = 0;
    uint64_t inode = 0;
    uint64_t size = 0;
    int64_t modified_ns = 0;
    friend bool operator==(const Version& a, const Version& b) = default;
  };
  static Version VersionOf(const struct stat& info);

  MappedFile(std::string path, int fd, Version opened, absl::Span<const uint8_t> bytes)
      : path_(std::move(path)), fd_(fd), opened_(opened), bytes_(bytes) {}

  std::string path_;
  int fd_;
  Version opened_;
  absl::Span<const uint8_t> bytes_;
  GuardedRange guard_;
};

}  // namespace weft
