#include "runtime/base/read_file.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "runtime/base/posix_error.h"

namespace weft {
namespace {

absl::StatusOr<std::string> ReadAll(int fd, const std::string& path, bool regular,
                                    uint64_t max_bytes) {
  struct stat info = {};
  if (fstat(fd, &info) != 0) return PosixError(errno, path, "stat");
  if (S_ISDIR(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": is a folder, a file is needed here"));
  }
  if (regular && !S_ISREG(info.st_mode))
    return absl::InvalidArgumentError(absl::StrCat(path, ": is no regular file"));
  // One byte more than stat says, so that the end of an unchanged file is seen without growing
  // again. What stat says is a first guess (0 for pipes and /proc); the read loop decides.
  constexpr uint64_t kMinChunk = 4096;
  const auto stat_bytes = static_cast<uint64_t>(std::max<off_t>(info.st_size, 0));
  std::string text;
  uint64_t filled = 0;
  uint64_t chunk = std::max(std::min(stat_bytes, max_bytes) + 1, kMinChunk);
  while (true) {
    if (filled == text.size()) {
      text.resize(filled + chunk);
      chunk = text.size();
    }
    const ssize_t got = read(fd, text.data() + filled, text.size() - filled);
    if (got < 0) {
      if (errno == EINTR) continue;
      return PosixError(errno, path, "read");
    }
    if (got == 0) break;
    filled += static_cast<uint64_t>(got);
    if (filled > max_bytes) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": is larger than the ", max_bytes, " bytes allowed for this file"));
    }
  }
  text.resize(filled);
  return text;
}

// -1 and errno where it cannot be.
int OpenToRead(const std::string& path, bool regular) {
  // O_NONBLOCK changes nothing for regular files; a pipe is opened without anyone at its other end.
  return open(path.c_str(), O_RDONLY | O_CLOEXEC | (regular ? O_NONBLOCK | O_NOCTTY : 0));
}

// Of what OpenToRead gave; closes it.
absl::StatusOr<std::string> ReadOpened(int fd, const std::string& path, bool regular,
                                       uint64_t max_bytes) {
  if (fd < 0) return PosixError(errno, path, "open");
  absl::StatusOr<std::string> text = ReadAll(fd, path, regular, max_bytes);
  close(fd);
  return text;
}

}  // namespace

absl::StatusOr<std::string> ReadFileToString(const std::string& path, uint64_t max_bytes) {
  return ReadOpened(OpenToRead(path, /*regular=*/false), path, /*regular=*/false, max_bytes);
}

absl::StatusOr<std::string> ReadDescriptor(int fd, const std::string& name, uint64_t max_bytes) {
  return ReadAll(fd, name, /*regular=*/false, max_bytes);
}

absl::StatusOr<std::string> ReadRegularFile(const std::string& path, uint64_t max_bytes) {
  return ReadOpened(OpenToRead(path, /*regular=*/true), path, /*regular=*/true, max_bytes);
}

absl::StatusOr<std::optional<std::string>> ReadRegularFileIfAny(const std::string& path,
                                                                uint64_t max_bytes) {
  const int fd = OpenToRead(path, /*regular=*/true);
  if (fd < 0 && MeansAbsent(errno)) return std::nullopt;
  absl::StatusOr<std::string> text = ReadOpened(fd, path, /*regular=*/true, max_bytes);
  if (!text.ok()) return text.status();
  return *std::move(text);
}

absl::StatusOr<std::filesystem::file_type> FileTypeOf(const std::string& path) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (!error || status.type() == std::filesystem::file_type::not_found) return status.type();
  return PosixError(error.value(), path, "look at it");
}

}  // namespace weft
