#include "runtime/base/lock_memory.h"

#include <absl/strings/str_cat.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "runtime/base/memory_room.h"
#include "runtime/base/posix_error.h"

namespace weft {
namespace {

// So many of the bytes are in memory and no file's: locking them takes no more of it. 0 where the
// system does not tell (proc_pid_pagemap(5)). Pages of files may be in memory as well, but as those
// that could be dropped: what is available counts them. (mincore(2) says of a file that is another
// user's that all of it is.)
uint64_t AnonymousBytes(absl::Span<const uint8_t> bytes) {
  constexpr uint64_t kPage = 4096;
  constexpr uint64_t kPresent = uint64_t{1} << 63;
  constexpr uint64_t kOfFile = uint64_t{1} << 61;
  const int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const uint64_t first = reinterpret_cast<uintptr_t>(bytes.data()) / kPage;
  const uint64_t last = (reinterpret_cast<uintptr_t>(bytes.data()) + bytes.size() - 1) / kPage;
  uint64_t pages = 0;
  std::array<uint64_t, 4096> entries;
  for (uint64_t at = first; at <= last;) {
    const uint64_t wanted = std::min<uint64_t>(entries.size(), last - at + 1);
    const ssize_t got = pread(fd, entries.data(), wanted * sizeof(uint64_t),
                              static_cast<off_t>(at * sizeof(uint64_t)));
    if (got <= 0) break;
    const uint64_t read = static_cast<uint64_t>(got) / sizeof(uint64_t);
    for (uint64_t i = 0; i < read; ++i)
      pages += (entries[i] & kPresent) != 0 && (entries[i] & kOfFile) == 0 ? 1 : 0;
    at += std::max<uint64_t>(read, 1);
  }
  close(fd);
  return std::min<uint64_t>(pages * kPage, bytes.size());
}

}  // namespace

absl::Status LockMemory(absl::Span<const uint8_t> bytes, absl::string_view name) {
  if (bytes.empty()) return absl::OkStatus();
  // mlock() itself would go on until the kernel ends the process.
  if (absl::Status status = CheckRoomToLock(
          bytes.size() - AnonymousBytes(bytes), absl::StrCat(name, ": locked weights"),
          "run without --mlock, and the kernel reads them as they are used");
      !status.ok())
    return status;
  if (mlock(bytes.data(), bytes.size()) == 0) return absl::OkStatus();
  const int error = errno;
  struct rlimit limit = {};
  if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur >= bytes.size())
    return PosixError(error, name, "lock the weights in memory");
  return absl::ResourceExhaustedError(absl::StrCat(
      name, ": cannot lock ", Megabytes(bytes.size()),
      " of weights in memory: the limit RLIMIT_MEMLOCK is ", Megabytes(limit.rlim_cur),
      " (raise it with ulimit -l, with memlock in /etc/security/limits.conf or with LimitMEMLOCK= "
      "of systemd; or run without --mlock)"));
}

}  // namespace weft
