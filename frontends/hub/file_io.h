// The few file operations a download cache needs: everything that others may read at the same time
// appears by rename.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace weft {

// Owns a file descriptor.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  ~UniqueFd() { Reset(); }
  int get() const { return fd_; }
  void Reset();

 private:
  int fd_ = -1;
};

// Every error below names the path and the system's reason (ResourceExhausted: no space;
// PermissionDenied; …).

// Creates the folder and its parents.
absl::Status MakeFolders(const std::string& path);
// Opens for reading and appending, created with mode 0644 if absent; a symbolic link is refused.
absl::StatusOr<UniqueFd> OpenForAppend(const std::string& path);
absl::Status WriteAll(int fd, absl::string_view bytes, const std::string& path);
absl::Status Truncate(int fd, uint64_t size, const std::string& path);
absl::StatusOr<uint64_t> SizeOf(int fd, const std::string& path);
// Flushes the file to the disk and renames it: after a power loss the new name holds all of it or
// does not exist.
absl::Status FlushAndRename(int fd, const std::string& from, const std::string& to);
// Makes an empty file with a name of its own beside `path`, for nobody else: its name.
absl::StatusOr<std::string> MakeTemporaryFile(const std::string& path);
// Writes `text` to `path` by temporary file and rename.
absl::Status WriteFileByRename(const std::string& path, absl::string_view text);
// Makes `link` a symbolic link to `target`, in place of whatever file or link has that name.
absl::Status ReplaceSymlink(const std::string& target, const std::string& link);
// ResourceExhausted if the disk of `folder` has less than `bytes` free for this user.
absl::Status CheckFreeSpace(const std::string& folder, uint64_t bytes);

// "1.5 GB" (GB = 10⁹ bytes).
std::string HumanBytes(uint64_t bytes);

// An exclusive flock on a file, between processes and between threads. A process that ends, however
// it ends, releases it. The file stays behind; whoever holds the lock may remove it as long as all
// others come by TryAcquire.
class FileLock {
 public:
  // Waits as long as another holds the lock; calls `on_wait` once before waiting. On a file system
  // without locks there is none to take, and the lock is granted to all who ask: not held() then.
  static absl::StatusOr<FileLock> Acquire(const std::string& path,
                                          const std::function<void()>& on_wait);
  // Nothing where another holds the lock.
  static absl::StatusOr<std::optional<FileLock>> TryAcquire(const std::string& path);
  bool held() const { return held_; }

 private:
  FileLock(UniqueFd fd, bool held) : fd_(std::move(fd)), held_(held) {}
  UniqueFd fd_;
  bool held_;
};

}  // namespace weft
