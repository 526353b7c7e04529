#include "frontends/hub/file_io.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>
#include <thread>

#include "tests/http/fake_hub.h"

namespace weft {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

size_t FilesIn(const std::string& folder) {
  return static_cast<size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(FileIoTest, FoldersAreMadeWithParentsAndTwice) {
  TemporaryFolder folder;
  EXPECT_TRUE(MakeFolders(folder.path() + "/a/b/c").ok());
  EXPECT_TRUE(MakeFolders(folder.path() + "/a/b/c").ok());
  WriteWholeFile(folder.path() + "/file", "x");
  auto status = MakeFolders(folder.path() + "/file/below");
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr(folder.path() + "/file/below"));
}

TEST(FileIoTest, AppendGoesOnAndDoesNotFollowLinks) {
  TemporaryFolder folder;
  const std::string path = folder.path() + "/f";
  WriteWholeFile(path, "one");
  {
    auto fd = OpenForAppend(path);
    ASSERT_TRUE(fd.ok()) << fd.status();
    EXPECT_EQ(SizeOf(fd->get(), path).value(), 3u);
    ASSERT_TRUE(WriteAll(fd->get(), "two", path).ok());
  }
  EXPECT_EQ(ReadWholeFile(path), "onetwo");
  fs::create_symlink(path, folder.path() + "/link");
  EXPECT_FALSE(OpenForAppend(folder.path() + "/link").ok());
}

TEST(FileIoTest, WritesAppearByRenameAndLeaveNothingBehind) {
  TemporaryFolder folder;
  const std::string path = folder.path() + "/f";
  ASSERT_TRUE(WriteFileByRename(path, "first").ok());
  ASSERT_TRUE(WriteFileByRename(path, "second").ok());
  EXPECT_EQ(ReadWholeFile(path), "second");
  EXPECT_FALSE(WriteFileByRename(folder.path() + "/none/f", "x").ok());
  EXPECT_EQ(FilesIn(folder.path()), 1u);
}

// Process ids are those of a container: on a shared cache, another may have the same.
TEST(FileIoTest, TemporaryFilesOfOthersAreLeftAlone) {
  TemporaryFolder folder;
  const std::string path = folder.path() + "/f";
  const std::string other =
      path + "." + std::to_string(getpid()) + "." + std::to_string(gettid()) + ".tmp";
  WriteWholeFile(other, "of another");
  ASSERT_TRUE(WriteFileByRename(path, "text").ok());
  EXPECT_EQ(ReadWholeFile(path), "text");
  EXPECT_TRUE(fs::exists(other));
  WriteWholeFile(other, "of another");
  ASSERT_TRUE(ReplaceSymlink("nowhere", path).ok());
  EXPECT_TRUE(fs::exists(other));
  EXPECT_EQ(ReadWholeFile(other), "of another");
  EXPECT_EQ(FilesIn(folder.path()), 2u);
}

TEST(FileIoTest, SymlinkReplacesFileAndLink) {
  TemporaryFolder folder;
  const std::string link = folder.path() + "/link";
  WriteWholeFile(folder.path() + "/target", "bytes");
  WriteWholeFile(link, "old");
  ASSERT_TRUE(ReplaceSymlink("nowhere", link).ok());
  ASSERT_TRUE(ReplaceSymlink("target", link).ok());
  EXPECT_EQ(fs::read_symlink(link), "target");
  EXPECT_EQ(ReadWholeFile(link), "bytes");
  EXPECT_EQ(FilesIn(folder.path()), 2u);
}

TEST(FileIoTest, FailedWriteNamesTheFile) {
  TemporaryFolder folder;
  const std::string path = folder.path() + "/f";
  auto fd = OpenForAppend(path);
  ASSERT_TRUE(fd.ok());
  rlimit before;
  getrlimit(RLIMIT_FSIZE, &before);
  auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 1000;
  setrlimit(RLIMIT_FSIZE, &small);
  absl::Status status = WriteAll(fd->get(), std::string(2000, 'x'), path);
  setrlimit(RLIMIT_FSIZE, &before);
  (void)std::signal(SIGXFSZ, handler);
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr(path));
}

TEST(FileIoTest, FullDeviceIsResourceExhausted) {
  auto fd = OpenForAppend("/dev/full");
  if (!fd.ok()) GTEST_SKIP() << "no /dev/full here";
  absl::Status status = WriteAll(fd->get(), "x", "/dev/full");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
}

TEST(FileIoTest, FreeSpace) {
  TemporaryFolder folder;
  EXPECT_TRUE(CheckFreeSpace(folder.path(), 1).ok());
  auto status = CheckFreeSpace(folder.path(), UINT64_MAX);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("18.4 EB"));
}

TEST(FileIoTest, HumanBytes) {
  EXPECT_EQ(HumanBytes(0), "0 B");
  EXPECT_EQ(HumanBytes(999), "999 B");
  EXPECT_EQ(HumanBytes(253'113'024), "253.1 MB");
}

TEST(FileIoTest, LockKeepsASecondOwnerOutAndTellsIt) {
  TemporaryFolder folder;
  const std::string path = folder.path() + "/lock";
  auto first = FileLock::Acquire(path, {});
  ASSERT_TRUE(first.ok()) << first.status();
  std::atomic<bool> waited = false;
  std::atomic<bool> acquired = false;
  std::thread second([&] {
    auto lock = FileLock::Acquire(path, [&] { waited = true; });
    acquired = lock.ok();
  });
  while (!waited) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_FALSE(acquired);
  {
    auto released = *std::move(first);
  }
  second.join();
  EXPECT_TRUE(acquired);
  EXPECT_FALSE(FileLock::Acquire(folder.path() + "/none/lock", {}).ok());
}

TEST(FileIoTest, LockIsTried) {
  TemporaryFolder folder;
  const std::string path = folder.path() + "/lock";
  auto first = FileLock::TryAcquire(path);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(first->has_value());
  auto second = FileLock::TryAcquire(path);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_FALSE(second->has_value());
  EXPECT_FALSE(FileLock::TryAcquire(folder.path() + "/none/lock").ok());
  // A lock on a removed file keeps nobody out.
  ASSERT_EQ(unlink(path.c_str()), 0);
  auto third = FileLock::TryAcquire(path);
  ASSERT_TRUE(third.ok()) << third.status();
  EXPECT_TRUE(third->has_value());
  first->reset();
  EXPECT_FALSE((*FileLock::TryAcquire(path)).has_value());
  third->reset();
  EXPECT_TRUE((*FileLock::TryAcquire(path)).has_value());
}

}  // namespace
}  // namespace weft
