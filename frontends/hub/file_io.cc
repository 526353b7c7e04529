#include "frontends/hub/file_io.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "runtime/base/temporary_name.h"

namespace weft {
namespace {

absl::Status SystemError(absl::string_view what, const std::string& path) {
  return absl::ErrnoToStatus(errno, absl::StrCat(what, " ", path));
}

// An error of flock on file systems that know no locks.
bool HasNoLocks(int error) { return error == ENOLCK || error == EOPNOTSUPP || error == ENOSYS; }

}  // namespace

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) {
    Reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void UniqueFd::Reset() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

absl::Status MakeFolders(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (!error) return absl::OkStatus();
  return absl::ErrnoToStatus(error.value(), absl::StrCat("cannot create the folder ", path));
}

absl::StatusOr<UniqueFd> OpenForAppend(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (fd.get() < 0) return SystemError("cannot write", path);
  return fd;
}

absl::Status WriteAll(int fd, absl::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SystemError("cannot write", path);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return absl::OkStatus();
}

absl::Status Truncate(int fd, uint64_t size, const std::string& path) {
  if (ftruncate(fd, static_cast<off_t>(size)) != 0) return SystemError("cannot write", path);
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> SizeOf(int fd, const std::string& path) {
  struct stat info;
  if (fstat(fd, &info) != 0) return SystemError("cannot read", path);
  return static_cast<uint64_t>(info.st_size);
}

absl::Status FlushAndRename(int fd, const std::string& from, const std::string& to) {
  if (fsync(fd) != 0) return SystemError("cannot write", from);
  if (rename(from.c_str(), to.c_str()) != 0) return SystemError("cannot rename to", to);
  return absl::OkStatus();
}

namespace {

absl::StatusOr<std::string> OpenTemporaryFile(const std::string& path, UniqueFd* fd) {
  return MakeTemporary(path, path, [fd](const std::string& name) {
    *fd = UniqueFd(open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    return fd->get() < 0 ? errno : 0;
  });
}

}  // namespace

absl::StatusOr<std::string> MakeTemporaryFile(const std::string& path) {
  UniqueFd fd;
  return OpenTemporaryFile(path, &fd);
}

absl::Status WriteFileByRename(const std::string& path, absl::string_view text) {
  UniqueFd fd;
  const absl::StatusOr<std::string> temporary = OpenTemporaryFile(path, &fd);
  if (!temporary.ok()) return temporary.status();
  absl::Status status = WriteAll(fd.get(), text, *temporary);
  if (status.ok()) status = FlushAndRename(fd.get(), *temporary, path);
  if (!status.ok()) unlink(temporary->c_str());
  return status;
}

absl::Status ReplaceSymlink(const std::string& target, const std::string& link) {
  const absl::StatusOr<std::string> temporary =
      MakeTemporary(link, link, [&target](const std::string& name) {
        return symlink(target.c_str(), name.c_str()) == 0 ? 0 : errno;
      });
  if (!temporary.ok()) return temporary.status();
  if (rename(temporary->c_str(), link.c_str()) != 0) {
    absl::Status status = SystemError("cannot link", link);
    unlink(temporary->c_str());
    return status;
  }
  return absl::OkStatus();
}

absl::Status CheckFreeSpace(const std::string& folder, uint64_t bytes) {
  struct statvfs info;
  // A file system that does not tell is no reason to refuse: the write itself will.
  if (statvfs(folder.c_str(), &info) != 0 || info.f_frsize == 0) return absl::OkStatus();
  // In blocks, since the product of blocks and block size may not fit 64 bits.
  if (bytes / info.f_frsize < info.f_bavail) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      "no space left: ", HumanBytes(bytes), " to download, ",
      HumanBytes(static_cast<uint64_t>(info.f_bavail) * info.f_frsize), " free in ", folder));
}

std::string HumanBytes(uint64_t bytes) {
  constexpr std::array<const char*, 7> kUnits = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1000 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  return absl::StrFormat("%.*f %s", unit == 0 ? 0 : 1, value, kUnits[unit]);
}

absl::StatusOr<FileLock> FileLock::Acquire(const std::string& path,
                                           const std::function<void()>& on_wait) {
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (fd.get() < 0) return SystemError("cannot create the lock file", path);
  bool told = false;
  while (flock(fd.get(), told ? LOCK_EX : LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno == EWOULDBLOCK && !told) {
      told = true;
      if (on_wait) on_wait();
      continue;
    }
    if (HasNoLocks(errno)) return FileLock(std::move(fd), /*held=*/false);
    return SystemError("cannot lock", path);
  }
  return FileLock(std::move(fd), /*held=*/true);
}

absl::StatusOr<std::optional<FileLock>> FileLock::TryAcquire(const std::string& path) {
  for (;;) {
    UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (fd.get() < 0) return SystemError("cannot create the lock file", path);
    const bool held = flock(fd.get(), LOCK_EX | LOCK_NB) == 0;
    if (!held) {
      if (errno == EINTR) continue;
      if (errno == EWOULDBLOCK) return std::nullopt;
      if (!HasNoLocks(errno)) return SystemError("cannot lock", path);
    }
    // Its last holder may have removed it after it was opened here.
    struct stat info;
    if (fstat(fd.get(), &info) == 0 && info.st_nlink == 0) continue;
    return FileLock(std::move(fd), held);
  }
}

}  // namespace weft
