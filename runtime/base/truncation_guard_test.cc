#include "runtime/base/truncation_guard.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "runtime/base/mapped_block.h"

namespace weft {
namespace {

using testing::HasSubstr;

constexpr uint64_t kBytes = 64 * 4096;

std::string PathOf(const char* name) {
  return testing::TempDir() + "weft_guard_" + name + std::to_string(getpid());
}

// A file of 0x55 that Truncate() shortens.
class Shrinking {
 public:
  explicit Shrinking(const char* name) : path_(PathOf(name)) {
    fd_ = open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const std::vector<uint8_t> bytes(kBytes, 0x55);
    EXPECT_EQ(write(fd_, bytes.data(), bytes.size()), static_cast<ssize_t>(kBytes));
  }
  ~Shrinking() {
    close(fd_);
    unlink(path_.c_str());
  }
  Shrinking(const Shrinking&) = delete;
  Shrinking& operator=(const Shrinking&) = delete;

  void Truncate(off_t bytes) const { ASSERT_EQ(ftruncate(fd_, bytes), 0); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  int fd_;
};

uint64_t Sum(absl::Span<const uint8_t> bytes) {
  uint64_t sum = 0;
  for (const uint8_t byte : bytes) sum += byte;
  return sum;
}

TEST(TruncationGuard, MissingPagesReadAsZerosAndAreTold) {
  ASSERT_TRUE(GuardTruncatedFiles());
  ASSERT_TRUE(GuardTruncatedFiles());
  const Shrinking file("zeros");
  const auto mapped = MappedFile::Open(file.path(), /*guarded=*/true);
  const auto other = MappedFile::Open(file.path(), /*guarded=*/true);
  ASSERT_TRUE(mapped.ok() && other.ok());
  const auto block =
      MappedBlock::Map({{*mapped, 0, kBytes / 2}, {*mapped, kBytes / 2, kBytes / 2}});
  ASSERT_TRUE(block.ok());
  EXPECT_EQ(Sum((*block)->bytes()), kBytes * 0x55);
  // Within its last page a file that lost its end reads as zeros without a signal.
  file.Truncate(kBytes - 1);
  EXPECT_EQ(Sum((*block)->bytes()), (kBytes - 1) * 0x55);
  EXPECT_FALSE((*block)->CheckWhole().ok());
  file.Truncate(3 * 4096);
  {
    std::vector<std::jthread> readers;
    for (int i = 0; i < 4; ++i)
      readers.emplace_back([&] { EXPECT_EQ(Sum((*block)->bytes()), 3 * 4096 * 0x55); });
  }
  EXPECT_EQ((*block)->CheckWhole().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string((*block)->CheckWhole().message()),
              HasSubstr(file.path() + ": the file was truncated while it was in use"));
  EXPECT_EQ(Sum((*mapped)->bytes()), 3 * 4096 * 0x55);
  // Whole again, but what was read was not.
  file.Truncate(kBytes);
  EXPECT_FALSE((*mapped)->CheckWhole().ok());
  EXPECT_FALSE((*block)->CheckWhole().ok());
  EXPECT_TRUE((*other)->CheckWhole().ok()) << "nobody has read through this map";
}

TEST(TruncationGuard, RangesComeAndGo) {
  ASSERT_TRUE(GuardTruncatedFiles());
  const Shrinking file("many");
  for (int i = 0; i < 5000; ++i) {
    const auto mapped = MappedFile::Open(file.path(), /*guarded=*/true);
    ASSERT_TRUE(mapped.ok());
    if (i == 4999) file.Truncate(0);
    EXPECT_EQ((*mapped)->bytes()[kBytes - 1], i == 4999 ? 0 : 0x55);
    EXPECT_EQ((*mapped)->CheckWhole().ok(), i != 4999);
  }
}

// Touches a file's missing pages in a map that is not guarded.
void TouchUnguarded() {
  const Shrinking file("unguarded");
  const auto mapped = MappedFile::Open(file.path());
  const auto guarded = MappedFile::Open(file.path(), /*guarded=*/true);
  file.Truncate(0);
  const volatile uint8_t* const bytes = (*mapped)->bytes().data();
  (void)bytes[0];
}

// Each in a process of its own, run from its start: the guard is installed once in a process.
TEST(TruncationGuardDeathTest, ElsewhereTheProcessEndsAsBefore) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto run = [] {
    (void)std::signal(SIGBUS, SIG_DFL);  // sanitizers have a handler
    GuardTruncatedFiles();
    TouchUnguarded();
  };
  EXPECT_EXIT(run(), testing::KilledBySignal(SIGBUS), "");
  const auto sent = [] {
    (void)std::signal(SIGBUS, SIG_DFL);
    GuardTruncatedFiles();
    (void)raise(SIGBUS);
  };
  EXPECT_EXIT(sent(), testing::KilledBySignal(SIGBUS), "");
}

TEST(TruncationGuardDeathTest, ElsewhereTheEarlierHandlerRuns) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto simple = [] {
    (void)std::signal(SIGBUS, [](int) { _exit(3); });
    GuardTruncatedFiles();
    TouchUnguarded();
  };
  EXPECT_EXIT(simple(), testing::ExitedWithCode(3), "");
  const auto with_information = [] {
    struct sigaction action = {};
    action.sa_flags = SA_SIGINFO;
    action.sa_sigaction = [](int, siginfo_t* info, void*) {
      _exit(info->si_addr != nullptr ? 4 : 5);
    };
    (void)sigaction(SIGBUS, &action, nullptr);
    GuardTruncatedFiles();
    TouchUnguarded();
  };
  EXPECT_EXIT(with_information(), testing::ExitedWithCode(4), "");
  const auto ignored = [] {
    (void)std::signal(SIGBUS, SIG_IGN);
    GuardTruncatedFiles();
    (void)raise(SIGBUS);
    std::exit(6);
  };
  EXPECT_EXIT(ignored(), testing::ExitedWithCode(6), "");
}

}  // namespace
}  // namespace weft
