#include "runtime/base/mapped_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <limits>
#include <vector>

namespace weft {
namespace {

using testing::HasSubstr;

std::string TestPath(const std::string& name) {
  return testing::TempDir() + "weft_mapped_" + std::to_string(getpid()) + name;
}

void Write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

TEST(MappedFile, MapsTheBytes) {
  const std::string path = TestPath("bytes");
  Write(path, "hello");
  auto file = MappedFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(unlink(path.c_str()), 0);
  EXPECT_EQ(std::string((*file)->bytes().begin(), (*file)->bytes().end()), "hello");
  EXPECT_EQ((*file)->path(), path);
}

TEST(MappedFile, ReadsBesideTheMap) {
  const std::string path = TestPath("read");
  Write(path, "0123456789");
  auto file = MappedFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(unlink(path.c_str()), 0);
  std::vector<uint8_t> bytes(4);
  ASSERT_TRUE((*file)->Read(3, absl::MakeSpan(bytes)).ok());
  EXPECT_EQ(std::string(bytes.begin(), bytes.end()), "3456");
  EXPECT_TRUE((*file)->Read(10, {}).ok());
  const absl::Status status = (*file)->Read(8, absl::MakeSpan(bytes));
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr(path + ": ends at byte 10, 2 more"));
}

TEST(MappedFile, EmptyFileIsAnEmptySpan) {
  const std::string path = TestPath("empty");
  Write(path, "");
  auto file = MappedFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE((*file)->bytes().empty());
  (*file)->Advise(0, 10, MappedFile::Access::kDontNeed);
  unlink(path.c_str());
}

TEST(MappedFile, ErrorsNameThePath) {
  const std::string missing = TestPath("missing");
  EXPECT_EQ(MappedFile::Open(missing).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(MappedFile::Open(missing).status().message()), HasSubstr(missing));
  const auto folder = MappedFile::Open(testing::TempDir());
  EXPECT_THAT(std::string(folder.status().message()), HasSubstr("is a folder"));
  EXPECT_THAT(std::string(MappedFile::Open("/dev/null").status().message()),
              HasSubstr("not a regular file"));
}

TEST(MappedFile, APipeDoesNotHang) {
  const std::string path = TestPath("pipe");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_THAT(std::string(MappedFile::Open(path).status().message()),
              HasSubstr("not a regular file"));
  unlink(path.c_str());
}

TEST(MappedFile, TellsWhatChanged) {
  const std::string path = TestPath("changed");
  const std::string other = TestPath("other");
  Write(path, "abcdef");
  Write(other, "abcdef");
  const auto file = MappedFile::Open(path);
  const auto again = MappedFile::Open(path);
  ASSERT_TRUE(file.ok() && again.ok());
  EXPECT_TRUE((*file)->CheckUnchanged().ok());
  ASSERT_EQ(rename(other.c_str(), path.c_str()), 0);
  EXPECT_TRUE((*file)->CheckWhole().ok());
  EXPECT_THAT(std::string((*file)->CheckUnchanged().message()),
              HasSubstr(path + ": the file was changed or replaced while it was read"));
  const auto second = MappedFile::Open(path);
  ASSERT_TRUE(second.ok());
  EXPECT_TRUE((*second)->CheckUnchanged().ok());
  usleep(20'000);  // the clock of the file system's times is coarse
  std::ofstream(path, std::ios::in | std::ios::binary).write("ABC", 3);
  EXPECT_FALSE((*second)->CheckUnchanged().ok());
  EXPECT_TRUE((*second)->CheckWhole().ok());
  ASSERT_EQ(truncate(path.c_str(), 5), 0);
  EXPECT_THAT(std::string((*second)->CheckUnchanged().message()), HasSubstr("truncated"));
  EXPECT_FALSE((*second)->CheckWhole().ok());
  unlink(path.c_str());
}

TEST(MappedFile, AdviceKeepsTheBytes) {
  const std::string path = TestPath("advice");
  std::string text(100'000, 'x');
  text.back() = 'y';
  Write(path, text);
  auto file = MappedFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  for (const auto access : {MappedFile::Access::kSequential, MappedFile::Access::kWillNeed,
                            MappedFile::Access::kDontNeed}) {
    for (const uint64_t offset :
         {uint64_t{0}, uint64_t{1}, uint64_t{99'999}, std::numeric_limits<uint64_t>::max()}) {
      (*file)->Advise(offset, std::numeric_limits<uint64_t>::max(), access);
      (*file)->Advise(offset, 4097, access);
    }
  }
  EXPECT_EQ(std::string((*file)->bytes().begin(), (*file)->bytes().end()), text);
  unlink(path.c_str());
}

}  // namespace
}  // namespace weft
