#include "runtime/base/atomic_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "runtime/base/read_file.h"

namespace weft {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class AtomicFileTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "weft_atomic_" + std::to_string(getpid()) + "_" +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    path_ = folder_ + "/out.bin";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }
  static std::string Read(const std::string& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  std::string folder_;
  std::string path_;
};

TEST_F(AtomicFileTest, AppearsWholeOnCommit) {
  std::ofstream(path_) << "old";
  auto writer = AtomicFileWriter::Create(path_);
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE((*writer)->Append("hello").ok());
  EXPECT_EQ((*writer)->offset(), 5u);
  ASSERT_TRUE((*writer)->PadTo(8).ok());
  ASSERT_TRUE((*writer)->PadTo(8).ok());
  const std::vector<uint8_t> patch = {'J'};
  ASSERT_TRUE((*writer)->WriteAt(0, patch).ok());
  EXPECT_EQ((*writer)->offset(), 8u);
  EXPECT_EQ(Read(path_), "old");
  ASSERT_TRUE((*writer)->Commit().ok());
  writer->reset();
  EXPECT_EQ(Read(path_), std::string("Jello\0\0\0", 8));
  EXPECT_THAT(Files(), ElementsAre("out.bin"));
}

TEST_F(AtomicFileTest, UncommittedLeavesNothing) {
  {
    auto writer = AtomicFileWriter::Create(path_);
    ASSERT_TRUE(writer.ok()) << writer.status();
    ASSERT_TRUE((*writer)->Append("hello").ok());
  }
  EXPECT_THAT(Files(), IsEmpty());
}

// Until it is committed the folder shows nothing, so that kill -9 leaves nothing.
TEST_F(AtomicFileTest, HasNoNameUntilItIsCommitted) {
  const int fd = open(folder_.c_str(), O_TMPFILE | O_RDWR, 0600);
  if (fd < 0) GTEST_SKIP() << "no unnamed files here";
  close(fd);
  auto writer = AtomicFileWriter::Create(path_);
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE((*writer)->Append("hello").ok());
  ASSERT_TRUE((*writer)->Flush().ok());
  EXPECT_THAT(Files(), IsEmpty());
  ASSERT_TRUE((*writer)->Publish().ok());
  EXPECT_THAT(Files(), ElementsAre("out.bin"));
  EXPECT_EQ(Read(path_), "hello");
}

TEST_F(AtomicFileTest, TemporaryFileBeside) {
  std::ofstream(path_) << "old";
  {
    auto writer = AtomicFileWriter::CreateTemporary(path_);
    ASSERT_TRUE(writer.ok()) << writer.status();
    ASSERT_TRUE((*writer)->Append("gone").ok());
    EXPECT_EQ(Files().size(), 2u);
  }
  EXPECT_THAT(Files(), ElementsAre("out.bin"));
  auto writer = AtomicFileWriter::CreateTemporary(path_);
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE((*writer)->Append("new").ok());
  EXPECT_EQ(Read(path_), "old");
  ASSERT_TRUE((*writer)->Commit().ok());
  writer->reset();
  EXPECT_EQ(Read(path_), "new");
  EXPECT_THAT(Files(), ElementsAre("out.bin"));
}

TEST_F(AtomicFileTest, FileThatAppearsMeanwhileIsReplaced) {
  auto writer = AtomicFileWriter::Create(path_);
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE((*writer)->Append("new").ok());
  std::ofstream(path_) << "other";
  ASSERT_TRUE((*writer)->Commit().ok());
  EXPECT_EQ(Read(path_), "new");
  EXPECT_THAT(Files(), ElementsAre("out.bin"));
}

TEST_F(AtomicFileTest, HonoursTheUmask) {
  const mode_t before = umask(027);
  auto writer = AtomicFileWriter::Create(path_);
  umask(before);
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE((*writer)->Commit().ok());
  struct stat info = {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0640u);
}

TEST_F(AtomicFileTest, FollowsLinks) {
  std::filesystem::create_directory(folder_ + "/real");
  std::ofstream(folder_ + "/real/file") << "old";
  std::filesystem::create_symlink("real/file", path_);
  auto writer = AtomicFileWriter::Create(path_);
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE((*writer)->Append("new").ok());
  ASSERT_TRUE((*writer)->Commit().ok());
  EXPECT_TRUE(std::filesystem::is_symlink(path_));
  EXPECT_EQ(Read(folder_ + "/real/file"), "new");
}

TEST_F(AtomicFileTest, MakesWhatALinkLeadsTo) {
  std::filesystem::create_directory(folder_ + "/real");
  std::filesystem::create_symlink("file", folder_ + "/real/link");
  std::filesystem::create_symlink("real/link", path_);
  for (auto* const create : {&AtomicFileWriter::Create, &AtomicFileWriter::CreateTemporary}) {
    auto writer = create(path_);
    ASSERT_TRUE(writer.ok()) << writer.status();
    ASSERT_TRUE((*writer)->Append("new").ok());
    ASSERT_TRUE((*writer)->Commit().ok());
    EXPECT_TRUE(std::filesystem::is_symlink(path_));
    EXPECT_EQ(Read(folder_ + "/real/file"), "new");
    std::filesystem::remove(folder_ + "/real/file");
  }
}

TEST_F(AtomicFileTest, KeepsThePermissionsOfWhatItReplaces) {
  for (auto* const create : {&AtomicFileWriter::Create, &AtomicFileWriter::CreateTemporary}) {
    std::ofstream(path_) << "old";
    ASSERT_EQ(chmod(path_.c_str(), 0600), 0);
    auto writer = create(path_);
    ASSERT_TRUE(writer.ok()) << writer.status();
    ASSERT_TRUE((*writer)->Commit().ok());
    struct stat info = {};
    ASSERT_EQ(stat(path_.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U);
  }
}

TEST_F(AtomicFileTest, RefusesFoldersAndMissingFolders) {
  EXPECT_THAT(std::string(AtomicFileWriter::Create(folder_).status().message()),
              HasSubstr("is a folder"));
  const auto missing = AtomicFileWriter::Create(folder_ + "/no/out.bin");
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("/no/out.bin"));
}

TEST_F(AtomicFileTest, UnwritableFolder) {
  if (geteuid() == 0) GTEST_SKIP() << "root may write anywhere";
  ASSERT_EQ(chmod(folder_.c_str(), 0500), 0);
  const auto writer = AtomicFileWriter::Create(path_);
  chmod(folder_.c_str(), 0700);
  EXPECT_EQ(writer.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(writer.status().message()), HasSubstr("check the permissions"));
}

TEST_F(AtomicFileTest, NoSpaceLeft) {
  auto writer = AtomicFileWriter::Create("/dev/full");
  ASSERT_TRUE(writer.ok()) << writer.status();
  const absl::Status status = (*writer)->Append("x");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("/dev/full: cannot write at byte 0: No space left on device"));
}

TEST_F(AtomicFileTest, FileSizeLimitLeavesNothing) {
  struct rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  auto* const handler = std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit small = {1000, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  absl::Status status;
  {
    auto writer = AtomicFileWriter::Create(path_);
    if (writer.ok()) status = (*writer)->Append(std::string(2000, 'x'));
  }
  setrlimit(RLIMIT_FSIZE, &before);
  (void)std::signal(SIGXFSZ, handler);
  EXPECT_THAT(std::string(status.message()), HasSubstr("File too large"));
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(AtomicFileTest, MappedBytesStandWhereTheyWereAppended) {
  auto writer = AtomicFileWriter::Create(path_);
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE((*writer)->Append("head").ok());
  ASSERT_TRUE((*writer)->PadTo(4096).ok());
  const auto map = (*writer)->AppendMapped(5000);
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_EQ((*writer)->offset(), 4096u + 5000u);
  (*map)[0] = 'a';
  (*map)[4999] = 'z';
  ASSERT_TRUE((*writer)->Append("tail").ok());
  (*map)[1] = 'b';
  ASSERT_TRUE((*writer)->Commit().ok());
  const std::string file = *ReadFileToString(path_, 1 << 20);
  ASSERT_EQ(file.size(), 4096u + 5000u + 4u);
  EXPECT_EQ(file.substr(4096, 3), std::string("ab\0", 3));
  EXPECT_EQ(file.substr(4096 + 4999), "ztail");
}

// Room is taken before the first byte is written: a write through a map could only crash.
TEST_F(AtomicFileTest, NoRoomToMap) {
  struct rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  auto* const handler = std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit small = {1 << 20, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  absl::Status status;
  {
    auto writer = AtomicFileWriter::Create(path_);
    if (writer.ok()) status = (*writer)->AppendMapped(2 << 20).status();
  }
  setrlimit(RLIMIT_FSIZE, &before);
  (void)std::signal(SIGXFSZ, handler);
  EXPECT_THAT(std::string(status.message()), HasSubstr("cannot reserve 2097152 bytes"));
  EXPECT_THAT(Files(), IsEmpty());
  EXPECT_FALSE((*AtomicFileWriter::Create("/dev/null"))->AppendMapped(1).ok());
}

TEST_F(AtomicFileTest, DevicesAreWrittenNotReplaced) {
  auto writer = AtomicFileWriter::Create("/dev/null");
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE((*writer)->Append("x").ok());
  EXPECT_TRUE((*writer)->Commit().ok());
  struct stat info = {};
  ASSERT_EQ(stat("/dev/null", &info), 0);
  EXPECT_TRUE(S_ISCHR(info.st_mode));
}

}  // namespace
}  // namespace weft
