#include "runtime/base/temporary_name.h"

#include <absl/strings/str_cat.h>
#include <sys/random.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>

#include "runtime/base/posix_error.h"

namespace weft {
namespace {

uint64_t RandomNumber() {
  uint64_t number = 0;
  if (getrandom(&number, sizeof(number), GRND_NONBLOCK) == sizeof(number)) return number;
  // Early after boot. Whoever has the same name is noticed.
  static std::atomic<uint32_t> counter = 0;
  return static_cast<uint64_t>(getpid()) << 32 | counter.fetch_add(1);
}

}  // namespace

absl::StatusOr<std::string> MakeTemporary(const std::string& path, const std::string& target,
                                          absl::FunctionRef<int(const std::string&)> make) {
  constexpr int kAttempts = 100;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    std::string name = absl::StrCat(target, ".tmp-", absl::Hex(RandomNumber(), absl::kZeroPad16));
    const int error = make(name);
    if (error == 0) return name;
    if (error != EEXIST) return PosixError(error, path, "create a file in its folder");
  }
  return PosixError(EEXIST, path, "create a temporary file beside it");
}

}  // namespace weft
