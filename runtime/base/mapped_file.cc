#include "runtime/base/mapped_file.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "runtime/base/posix_error.h"

namespace weft {

absl::StatusOr<std::shared_ptr<const MappedFile>> MappedFile::Open(const std::string& path,
                                                                   bool guarded) {
  // O_NONBLOCK: opening a named pipe must not wait for its writer; it means nothing for regular
  // files.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return PosixError(errno, path, "open");
  struct stat info = {};
  if (fstat(fd, &info) != 0) {
    const int error = errno;
    close(fd);
    return PosixError(error, path, "stat");
  }
  if (!S_ISREG(info.st_mode)) {
    close(fd);
    return absl::InvalidArgumentError(
        S_ISDIR(info.st_mode) ? absl::StrCat(path, ": is a folder, a file is needed here")
                              : absl::StrCat(path, ": is not a regular file and cannot be mapped"));
  }
  absl::Span<const uint8_t> bytes;
  if (info.st_size > 0) {
    const auto size = static_cast<size_t>(info.st_size);
    void* address = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (address == MAP_FAILED) {
      const int error = errno;
      close(fd);
      return PosixError(error, path, "map into memory");
    }
    bytes = absl::MakeConstSpan(static_cast<const uint8_t*>(address), size);
  }
  auto file = std::shared_ptr<MappedFile>(new MappedFile(path, fd, VersionOf(info), bytes));
  if (guarded) file->guard_ = GuardedRange(bytes.data(), bytes.size());
  return file;
}

MappedFile::~MappedFile() {
  // First: once it is unmapped, another map may lie there, and would be taken for this one.
  guard_ = GuardedRange();
  close(fd_);
  if (!bytes_.empty()) munmap(const_cast<uint8_t*>(bytes_.data()), bytes_.size());
}

absl::Status MappedFile::Read(uint64_t offset, absl::Span<uint8_t> out) const {
  while (!out.empty()) {
    const ssize_t count = pread(fd_, out.data(), out.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return PosixError(errno, path_, "read");
    if (count == 0) {
      return absl::DataLossError(absl::StrCat(path_, ": ends at byte ", offset, ", ", out.size(),
                                              " more were to be read"));
    }
    offset += static_cast<uint64_t>(count);
    out.remove_prefix(static_cast<size_t>(count));
  }
  return absl::OkStatus();
}

absl::Status MappedFile::MapAt(uint8_t* address, uint64_t offset, uint64_t size) const {
  if (mmap(address, size, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd_, static_cast<off_t>(offset)) ==
      MAP_FAILED)
    return PosixError(errno, path_, "map into memory");
  return absl::OkStatus();
}

absl::Status MappedFile::CheckWhole() const {
  // Within the last page that is left of it, a file that lost its end reads as zeros without a
  // signal.
  struct stat info = {};
  const bool shorter =
      fstat(fd_, &info) == 0 && static_cast<uint64_t>(info.st_size) < bytes_.size();
  return guard_.broken() || shorter ? Truncated() : absl::OkStatus();
}

MappedFile::Version MappedFile::VersionOf(const struct stat& info) {
  constexpr int64_t kNanoseconds = 1'000'000'000;
  return {info.st_dev, info.st_ino, static_cast<uint64_t>(info.st_size),
          info.st_mtim.tv_sec * kNanoseconds + info.st_mtim.tv_nsec};
}

absl::Status MappedFile::CheckUnchanged() const {
  if (absl::Status status = CheckWhole(); !status.ok()) return status;
  struct stat opened = {};
  struct stat at_path = {};
  if (fstat(fd_, &opened) == 0 && VersionOf(opened) == opened_ &&
      stat(path_.c_str(), &at_path) == 0 && VersionOf(at_path) == opened_)
    return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(
      path_,
      ": the file was changed or replaced while it was read (start again once it is whole)"));
}

absl::Status MappedFile::Truncated() const {
  return absl::DataLossError(absl::StrCat(
      path_,
      ": the file was truncated while it was in use, or its device cannot read it (open it "
      "again once it is whole)"));
}

void MappedFile::Advise(uint64_t offset, uint64_t size, Access access) const {
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const uint64_t file_bytes = bytes_.size();
  uint64_t begin = std::min(offset, file_bytes);
  uint64_t end = begin + std::min(size, file_bytes - begin);
  int advice = MADV_SEQUENTIAL;
  if (access == Access::kDontNeed) {
    advice = MADV_DONTNEED;
    begin = (begin + page - 1) / page * page;
    if (end != file_bytes) end = end / page * page;
  } else {
    if (access == Access::kWillNeed) advice = MADV_WILLNEED;
    begin = begin / page * page;
  }
  if (begin >= end) return;
  // A hint that fails costs speed, not correctness.
  (void)madvise(const_cast<uint8_t*>(bytes_.data()) + begin, end - begin, advice);
}

}  // namespace weft
