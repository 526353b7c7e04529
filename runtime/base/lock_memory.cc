#include "runtime/base/lock_memory.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cerrno>
#include <vector>

#include "runtime/base/memory_room.h"
#include "runtime/base/posix_error.h"

namespace weft {
namespace {

// So many of the bytes are not in memory yet, as far as the system tells.
uint64_t Missing(absl::Span<const uint8_t> bytes) {
  constexpr uint64_t kPage = 4096;
  const auto address = reinterpret_cast<uintptr_t>(bytes.data());
  const uint64_t into_page = address % kPage;
  const uint64_t size = into_page + bytes.size();
  std::vector<unsigned char> resident((size + kPage - 1) / kPage);
  if (mincore(const_cast<uint8_t*>(bytes.data()) - into_page, size, resident.data()) != 0) return 0;
  uint64_t missing = 0;
  for (const unsigned char page : resident) missing += (page & 1) == 0 ? kPage : 0;
  return missing;
}

}  // namespace

absl::Status LockMemory(absl::Span<const uint8_t> bytes, absl::string_view name) {
  if (bytes.empty()) return absl::OkStatus();
  // mlock() itself would go on until the kernel ends the process.
  if (absl::Status status =
          CheckMemoryRoom(Missing(bytes), absl::StrCat(name, ": locked weights"),
                          "run without --mlock, and the kernel reads them as they are used");
      !status.ok())
    return status;
  if (mlock(bytes.data(), bytes.size()) == 0) return absl::OkStatus();
  const int error = errno;
  struct rlimit limit = {};
  if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur >= bytes.size())
    return PosixError(error, name, "lock the weights in memory");
  constexpr double kMegabyte = 1e6;
  return absl::ResourceExhaustedError(absl::StrFormat(
      "%s: cannot lock %.1f MB of weights in memory: the limit RLIMIT_MEMLOCK is %.1f MB (raise it "
      "with ulimit -l, with memlock in /etc/security/limits.conf or with LimitMEMLOCK= of systemd; "
      "or run without --mlock)",
      name, static_cast<double>(bytes.size()) / kMegabyte,
      static_cast<double>(limit.rlim_cur) / kMegabyte));
}

}  // namespace weft
