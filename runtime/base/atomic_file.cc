#include "runtime/base/atomic_file.h"

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/string_view.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "runtime/abi/check.h"
#include "runtime/base/posix_error.h"
#include "runtime/base/status_macros.h"
#include "runtime/base/temporary_name.h"

namespace weft {
namespace {

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return path.substr(0, std::max<size_t>(slash, 1));
}

// Where a chain of symbolic links that starts at `path` ends, whether something exists there or not
// yet; an error where that cannot be seen, or the file would take a link's place.
absl::StatusOr<std::string> ResolveLinks(const std::string& path) {
  constexpr int kMostLinks = 40;  // Linux's own
  std::string end = path;
  for (int links = 0; links <= kMostLinks; ++links) {
    if (char* const resolved = realpath(end.c_str(), nullptr); resolved != nullptr) {
      std::string result = resolved;
      free(resolved);
      return result;
    }
    if (!MeansAbsent(errno)) return PosixError(errno, path, "see where it leads");
    std::array<char, 4096> target;  // PATH_MAX
    const ssize_t size = readlink(end.c_str(), target.data(), target.size());
    if (size < 0 && (errno == EINVAL || MeansAbsent(errno))) return end;  // no link
    if (size < 0) return PosixError(errno, path, "see where it leads");
    const absl::string_view to(target.data(), static_cast<size_t>(size));
    end = absl::StartsWith(to, "/") ? std::string(to) : absl::StrCat(FolderOf(end), "/", to);
  }
  return PosixError(ELOOP, path, "see where it leads");
}

// A file that takes another's place is for the same readers.
void KeepMode(int fd, const std::string& target) {
  constexpr mode_t kPermissions = 0777;
  struct stat info = {};
  if (stat(target.c_str(), &info) == 0 && S_ISREG(info.st_mode))
    (void)fchmod(fd, info.st_mode & kPermissions);
}

std::string LinkTo(int fd) { return absl::StrCat("/proc/self/fd/", fd); }

// A file that has no name yet, and vanishes with the process unless it gets one; -1 where the file
// system has none, or no /proc is there to name it by.
int OpenUnnamed(const std::string& folder) {
  const int fd = open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
  if (fd < 0 || access(LinkTo(fd).c_str(), F_OK) == 0) return fd;
  close(fd);
  return -1;
}

}  // namespace

absl::StatusOr<std::unique_ptr<AtomicFileWriter>> AtomicFileWriter::Create(
    const std::string& path) {
  WEFT_ASSIGN_OR_RETURN(const std::string target, ResolveLinks(path));
  struct stat info = {};
  if (stat(target.c_str(), &info) != 0) {
    // What cannot be seen may be a device.
    if (!MeansAbsent(errno)) return PosixError(errno, path, "look at it");
  } else {
    if (S_ISDIR(info.st_mode)) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": is a folder; name a file to write inside it"));
    }
    if (!S_ISREG(info.st_mode)) {
      const int fd = open(target.c_str(), O_WRONLY | O_CLOEXEC);
      if (fd < 0) return PosixError(errno, path, "open for writing");
      return std::unique_ptr<AtomicFileWriter>(
          new AtomicFileWriter(path, target, Kind::kDirect, fd));
    }
  }
  if (const int fd = OpenUnnamed(FolderOf(target)); fd >= 0) {
    KeepMode(fd, target);
    return std::unique_ptr<AtomicFileWriter>(
        new AtomicFileWriter(path, target, Kind::kUnnamed, fd));
  }
  return CreateTemporary(path);
}

absl::StatusOr<std::unique_ptr<AtomicFileWriter>> AtomicFileWriter::CreateTemporary(
    const std::string& path) {
  WEFT_ASSIGN_OR_RETURN(const std::string target, ResolveLinks(path));
  int fd = -1;
  absl::StatusOr<std::string> temporary =
      MakeTemporary(path, target, [&fd](const std::string& name) {
        fd = open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        return fd < 0 ? errno : 0;
      });
  if (!temporary.ok()) return temporary.status();
  KeepMode(fd, target);
  auto writer =
      std::unique_ptr<AtomicFileWriter>(new AtomicFileWriter(path, target, Kind::kTemporary, fd));
  writer->temporary_ = *std::move(temporary);
  return writer;
}

void AtomicFileWriter::Unmap() {
  if (!map_.empty()) munmap(map_.data(), map_.size());
  map_ = {};
}

AtomicFileWriter::~AtomicFileWriter() {
  Unmap();
  if (fd_ >= 0) close(fd_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

absl::Status AtomicFileWriter::Append(absl::Span<const uint8_t> bytes) {
  WEFT_CHECK(fd_ >= 0);
  while (!bytes.empty()) {
    const ssize_t written = write(fd_, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return PosixError(errno, path_, absl::StrCat("write at byte ", offset_));
    }
    bytes.remove_prefix(static_cast<size_t>(written));
    offset_ += static_cast<uint64_t>(written);
  }
  return absl::OkStatus();
}

absl::Status AtomicFileWriter::Append(absl::string_view bytes) {
  return Append(absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()));
}

absl::Status AtomicFileWriter::PadTo(uint64_t alignment) {
  WEFT_CHECK(std::has_single_bit(alignment));
  static constexpr std::array<uint8_t, 4096> kZeros = {};
  uint64_t missing = (alignment - offset_ % alignment) % alignment;
  while (missing > 0) {
    const uint64_t chunk = std::min<uint64_t>(missing, kZeros.size());
    if (absl::Status status = Append(absl::MakeConstSpan(kZeros.data(), chunk)); !status.ok()) {
      return status;
    }
    missing -= chunk;
  }
  return absl::OkStatus();
}

absl::StatusOr<absl::Span<uint8_t>> AtomicFileWriter::AppendMapped(uint64_t size, uint8_t* at) {
  constexpr uint64_t kPage = 4096;
  WEFT_CHECK(fd_ >= 0 && map_.empty() && offset_ % kPage == 0);
  if (kind_ == Kind::kDirect) return PosixError(ENODEV, path_, "map");
  if (size == 0) return absl::Span<uint8_t>();
  // Without room, a write through the map would be SIGBUS.
  const auto offset = static_cast<off_t>(offset_);
  int error = EINTR;
  while (error == EINTR) error = posix_fallocate(fd_, offset, static_cast<off_t>(size));
  if (error != 0) return PosixError(error, path_, absl::StrCat("reserve ", size, " bytes"));
  void* const map = mmap(at, size, PROT_READ | PROT_WRITE,
                         MAP_SHARED | (at == nullptr ? 0 : MAP_FIXED), fd_, offset);
  if (map == MAP_FAILED) return PosixError(errno, path_, "map");
  map_ = {static_cast<uint8_t*>(map), size};
  offset_ += size;
  if (lseek(fd_, static_cast<off_t>(offset_), SEEK_SET) < 0)
    return PosixError(errno, path_, "seek");
  return map_;
}

absl::Status AtomicFileWriter::WriteAt(uint64_t offset, absl::Span<const uint8_t> bytes) {
  WEFT_CHECK(fd_ >= 0 && offset <= offset_ && bytes.size() <= offset_ - offset);
  while (!bytes.empty()) {
    const ssize_t written = pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0) {
      if (errno == EINTR) continue;
      return PosixError(errno, path_, absl::StrCat("write at byte ", offset));
    }
    bytes.remove_prefix(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
  return absl::OkStatus();
}

absl::Status AtomicFileWriter::Commit() {
  if (absl::Status status = Flush(); !status.ok()) return status;
  return Publish();
}

absl::Status AtomicFileWriter::Flush() {
  WEFT_CHECK(fd_ >= 0);
  // Before the file gets its name: a name that reaches the disk before the data would leave a short
  // file after a power cut. Pipes and terminals cannot be synced and say EINVAL.
  Unmap();
  if (fsync(fd_) != 0 && !(kind_ == Kind::kDirect && (errno == EINVAL || errno == EROFS)))
    return PosixError(errno, path_, "flush to the device");
  return absl::OkStatus();
}

// Between a name beside the target and the target's lies one system call: who is killed just there
// leaves a whole file under the former.
absl::Status AtomicFileWriter::LinkUnnamed() {
  const std::string link = LinkTo(fd_);
  const auto name = [&link](const std::string& to) {
    return linkat(AT_FDCWD, link.c_str(), AT_FDCWD, to.c_str(), AT_SYMLINK_FOLLOW) == 0 ? 0 : errno;
  };
  const int error = name(target_);
  if (error == 0) return absl::OkStatus();
  if (error != EEXIST) return PosixError(error, path_, "give the finished file its name");
  absl::StatusOr<std::string> temporary = MakeTemporary(path_, target_, name);
  if (!temporary.ok()) return temporary.status();
  temporary_ = *std::move(temporary);
  return absl::OkStatus();
}

absl::Status AtomicFileWriter::Publish() {
  WEFT_CHECK(fd_ >= 0 && map_.empty());
  if (kind_ == Kind::kUnnamed) {
    if (absl::Status status = LinkUnnamed(); !status.ok()) return status;
  }
  const int closed = close(fd_);
  fd_ = -1;
  if (kind_ == Kind::kDirect)
    return closed == 0 ? absl::OkStatus() : PosixError(errno, path_, "close");
  // Of a file that was flushed, close() has nothing left to lose; it may have its name already.
  if (!temporary_.empty() && rename(temporary_.c_str(), target_.c_str()) != 0)
    return PosixError(errno, path_, "rename the finished file into place");
  temporary_.clear();
  // The name is durable once its folder is. Some file systems cannot sync folders; the file is
  // whole either way.
  const int folder = open(FolderOf(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    (void)fsync(folder);
    close(folder);
  }
  return absl::OkStatus();
}

}  // namespace weft
