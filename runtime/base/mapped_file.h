// A read-only memory map of a whole file: pages are read when touched and dropped by the kernel
// when memory is short.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

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

  // Where guarded: DataLoss once bytes() was found to lack bytes of the file.
  absl::Status CheckWhole() const;
  // That error.
  absl::Status Truncated() const;

  // A hint; ranges beyond the file are clipped. kDontNeed gives back only pages that lie wholly in
  // the range.
  void Advise(uint64_t offset, uint64_t size, Access access) const;

 private:
  MappedFile(std::string path, int fd, absl::Span<const uint8_t> bytes)
      : path_(std::move(path)), fd_(fd), bytes_(bytes) {}

  std::string path_;
  int fd_;
  absl::Span<const uint8_t> bytes_;
  GuardedRange guard_;
};

}  // namespace weft
