#include "runtime/base/lock_memory.h"

#include <absl/strings/str_format.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cerrno>

#include "runtime/base/posix_error.h"

namespace weft {

absl::Status LockMemory(absl::Span<const uint8_t> bytes, absl::string_view name) {
  if (bytes.empty() || mlock(bytes.data(), bytes.size()) == 0) return absl::OkStatus();
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
