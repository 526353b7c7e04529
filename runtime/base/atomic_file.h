// Writes a file that either appears whole or not at all.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <absl/types/span.h>

#include <cstdint>
#include <memory>
#include <string>

namespace weft {

// Bytes go to a temporary file beside `path`; Commit() flushes it to the device and renames it over
// `path`. Destroyed without Commit(), it removes the temporary file and leaves `path` as it was. A
// `path` that exists and is no regular file
// (/dev/stdout, a pipe) is written directly instead, for renaming would replace it.
// Every error names `path` and says what to do; after one, only destruction makes sense.
class AtomicFileWriter {
 public:
  // Follows symbolic links: the file behind a link is replaced, not the link. A folder is an error.
  static absl::StatusOr<std::unique_ptr<AtomicFileWriter>> Create(const std::string& path);

  ~AtomicFileWriter();
  AtomicFileWriter(const AtomicFileWriter&) = delete;
  AtomicFileWriter& operator=(const AtomicFileWriter&) = delete;

  absl::Status Append(absl::Span<const uint8_t> bytes);
  absl::Status Append(absl::string_view bytes);
  // Appends zeros up to the next multiple of `alignment` (a power of two).
  absl::Status PadTo(uint64_t alignment);
  // Appends `size` zeros, whose room on the device is taken at once, and maps them: for bytes that
  // come in any order, from several threads, or are more than memory holds. The map lives until
  // Commit(). Once, with offset() a multiple of 4096; an error where `path` is written directly.
  absl::StatusOr<absl::Span<uint8_t>> AppendMapped(uint64_t size);
  // Overwrites bytes that were appended before; offset() stays. An error where `path` is written
  // directly.
  absl::Status WriteAt(uint64_t offset, absl::Span<const uint8_t> bytes);
  // Bytes appended so far.
  uint64_t offset() const { return offset_; }

  // Once, as the last call.
  absl::Status Commit();

 private:
  void Unmap();
  AtomicFileWriter(std::string path, std::string target, std::string temporary, int fd)
      : path_(std::move(path)),
        target_(std::move(target)),
        temporary_(std::move(temporary)),
        fd_(fd) {}

  std::string path_;       // as the caller named it, for messages
  std::string target_;     // with symbolic links resolved
  std::string temporary_;  // empty: target_ is written directly
  int fd_;                 // -1 once closed
  absl::Span<uint8_t> map_;
  uint64_t offset_ = 0;
};

}  // namespace weft
