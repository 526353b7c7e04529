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

// Bytes go to a file without a name in the folder of `path`; Commit() flushes it to the device and
// puts it at `path`. Without Commit() nothing is left and `path` is as it was, however the process
// ends. Where the file system has no such files, a temporary one beside `path` stands in, which the
// destructor removes and kill -9 does not. A `path` that exists and is no regular file
// (/dev/stdout, a pipe) is written directly instead, for renaming would replace it. Every error
// names `path` and says what to do; after one, only destruction makes sense.
class AtomicFileWriter {
 public:
  // Follows symbolic links: the file behind a link is replaced, or made, not the link. A file that
  // replaces another has its permissions. A folder is an error.
  static absl::StatusOr<std::unique_ptr<AtomicFileWriter>> Create(const std::string& path);

  // What Create does where the file system has no unnamed files; `path` is a regular file or none.
  static absl::StatusOr<std::unique_ptr<AtomicFileWriter>> CreateTemporary(const std::string& path);

  ~AtomicFileWriter();
  AtomicFileWriter(const AtomicFileWriter&) = delete;
  AtomicFileWriter& operator=(const AtomicFileWriter&) = delete;

  absl::Status Append(absl::Span<const uint8_t> bytes);
  absl::Status Append(absl::string_view bytes);
  // Appends zeros up to the next multiple of `alignment` (a power of two).
  absl::Status PadTo(uint64_t alignment);
  // Appends `size` zeros, whose room on the device is taken at once, and maps them: for bytes that
  // come in any order, from several threads, or are more than memory holds. The map lives until
  // Flush(). Once, with offset() a multiple of 4096; an error where `path` is written directly.
  // With `at`, a multiple of 4096, it replaces what is mapped there.
  absl::StatusOr<absl::Span<uint8_t>> AppendMapped(uint64_t size, uint8_t* at = nullptr);
  // Overwrites bytes that were appended before; offset() stays. An error where `path` is written
  // directly.
  absl::Status WriteAt(uint64_t offset, absl::Span<const uint8_t> bytes);
  // Bytes appended so far.
  uint64_t offset() const { return offset_; }

  // Once, as the last call.
  absl::Status Commit();
  // Commit() in its two parts, for files that belong together: all are flushed before the first
  // appears.
  absl::Status Flush();
  absl::Status Publish();
  // Of the file that appears, with symbolic links resolved.
  const std::string& target() const { return target_; }

 private:
  enum class Kind { kUnnamed, kTemporary, kDirect };

  AtomicFileWriter(std::string path, std::string target, Kind kind, int fd)
      : path_(std::move(path)), target_(std::move(target)), kind_(kind), fd_(fd) {}
  absl::Status LinkUnnamed();
  void Unmap();

  std::string path_;       // as the caller named it, for messages
  std::string target_;     // with symbolic links resolved
  std::string temporary_;  // empty: there is none to remove
  Kind kind_;
  int fd_;  // -1 once closed
  absl::Span<uint8_t> map_;
  uint64_t offset_ = 0;
};

}  // namespace weft
