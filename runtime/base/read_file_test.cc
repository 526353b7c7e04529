#include "runtime/base/read_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>

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

TEST(ReadFile, OnlyWhatIsNotThereIsAbsent) {
  namespace fs = std::filesystem;
  const std::string folder = testing::TempDir() + "weft-read-file-if-any";
  fs::remove_all(folder);
  fs::create_directory(folder);
  std::ofstream(folder + "/file") << "text";
  fs::create_symlink("nothing", folder + "/dangling");
  for (const char* name : {"/none", "/none/none", "/file/none", "/dangling"}) {
    const auto text = ReadRegularFileIfAny(folder + name, 10);
    ASSERT_TRUE(text.ok()) << text.status();
    EXPECT_EQ(*text, std::nullopt) << name;
    EXPECT_EQ(*FileTypeOf(folder + name), fs::file_type::not_found) << name;
  }
  EXPECT_EQ(**ReadRegularFileIfAny(folder + "/file", 10), "text");
  EXPECT_EQ(*FileTypeOf(folder + "/file"), fs::file_type::regular);
  EXPECT_EQ(*FileTypeOf(folder), fs::file_type::directory);
  fs::create_symlink("circle", folder + "/circle");
  for (const std::string& path : {folder + "/circle", folder + "/" + std::string(300, 'x')}) {
    EXPECT_THAT(std::string(ReadRegularFileIfAny(path, 10).status().message()), HasSubstr(path));
    EXPECT_THAT(std::string(FileTypeOf(path).status().message()), HasSubstr(path));
  }
  EXPECT_FALSE(ReadRegularFileIfAny(folder, 10).ok());
  fs::remove_all(folder);
}

}  // namespace
}  // namespace weft
