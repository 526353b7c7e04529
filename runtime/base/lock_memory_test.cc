#include "runtime/base/lock_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "runtime/base/smaps_testing.h"

namespace weft {
namespace {

// "VmLck" of this process, in kB (proc(5)).
int64_t LockedKilobytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    int64_t kilobytes = 0;
    if (word == "VmLck:" && status >> kilobytes) return kilobytes;
  }
  return -1;
}

TEST(LockMemory, PagesAreLocked) {
  if (!kMlockLocks) GTEST_SKIP();
  const std::vector<uint8_t> bytes(uint64_t{3} << 12, 1);
  const int64_t before = LockedKilobytes();
  ASSERT_TRUE(LockMemory(absl::MakeConstSpan(bytes), "m").ok());
  EXPECT_GE(LockedKilobytes(), before + 12);
  EXPECT_TRUE(LockMemory({}, "m").ok());
}

// In a process of its own: one without rights, which cannot get them back.
TEST(LockMemoryDeathTest, SaysWhatToDoAboutTheLimit) {
  if (!kMlockLocks) GTEST_SKIP();
  const auto refused = [] {
    const std::vector<uint8_t> bytes(uint64_t{1} << 20, 1);
    const struct rlimit limit = {4096, 4096};
    constexpr uid_t kNobody = 65534;
    if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0) std::exit(1);
    if (geteuid() == 0 && setuid(kNobody) != 0) std::exit(1);
    const absl::Status status = LockMemory(absl::MakeConstSpan(bytes), "a.weft");
    std::cerr << std::string(status.message()) << std::endl;
    std::exit(status.code() == absl::StatusCode::kResourceExhausted ? 0 : 1);
  };
  EXPECT_EXIT(refused(), testing::ExitedWithCode(0),
              "a.weft: cannot lock 1.0 MB of weights in memory: the limit RLIMIT_MEMLOCK is 0.0 MB "
              ".raise it with ulimit -l");
}

}  // namespace
}  // namespace weft
