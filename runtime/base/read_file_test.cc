#include "runtime/base/read_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

namespace weft {
namespace {

using testing::HasSubstr;

TEST(ReadFile, ReadsWholeFilesUpToTheLimit) {
  const std::string path = testing::TempDir() + "weft_read_file";
  for (const size_t size :
       {size_t{0}, size_t{1}, size_t{4095}, size_t{4096}, size_t{4097}, size_t{100'000}}) {
    std::string text(size, 'a');
    if (size > 0) text.back() = '\0';
    std::ofstream(path, std::ios::binary) << text;
    const auto read = ReadFileToString(path, size);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(*read, text);
    if (size > 0) {
      EXPECT_THAT(std::string(ReadFileToString(path, size - 1).status().message()),
                  HasSubstr("is larger than"));
    }
  }
  unlink(path.c_str());
}

TEST(ReadFile, ReadsWhatHasNoSize) {
  const auto status = ReadFileToString("/proc/self/status", 1 << 20);
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_THAT(*status, HasSubstr("Pid:"));
  EXPECT_THAT(std::string(ReadFileToString("/dev/zero", 100'000).status().message()),
              HasSubstr("is larger than"));
}

TEST(ReadFile, PipesAreNotWaitedForWhereAFileIsMeant) {
  const std::string path = testing::TempDir() + "weft-read-file-pipe-" + std::to_string(getpid());
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(ReadRegularFile(path, 10).status().message(), path + ": is no regular file");
  unlink(path.c_str());
  EXPECT_THAT(std::string(ReadRegularFile("/dev/zero", 10).status().message()),
              HasSubstr("is no regular file"));
  EXPECT_THAT(std::string(ReadRegularFile(testing::TempDir(), 10).status().message()),
              HasSubstr("is a folder"));
  EXPECT_TRUE(ReadRegularFile("/proc/self/status", 1 << 20).ok());
}

TEST(ReadFile, ErrorsNameThePath) {
  EXPECT_EQ(ReadFileToString("/no/such", 10).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(ReadFileToString(testing::TempDir(), 10).status().message()),
              HasSubstr("is a folder"));
}

}  // namespace
}  // namespace weft
