#include "tools/digest_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "frontends/hub/file_digest.h"
#include "frontends/hub/file_io.h"
#include "runtime/base/read_file.h"
#include "runtime/plan/checksum.h"

namespace weft::tools {
namespace {

namespace fs = std::filesystem;

// What no file has: an answer that is this was remembered, not computed.
const std::string kForged(64, 'f');

class DigestIndexTest : public testing::Test {
 protected:
  DigestIndexTest() {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    fs::permissions(folder_, fs::perms::owner_all);
    Write('a');
  }
  ~DigestIndexTest() override { fs::remove_all(folder_); }

  void Write(char letter, size_t bytes = 2 << 20) const {
    std::ofstream(file_, std::ios::binary) << std::string(bytes, letter);
  }
  std::string Truth() const { return *FileDigest(file_, DigestKind::kSha256); }
  std::string Answer() const { return *DigestIndex(index_, {}, Always).Sha256(file_); }
  // So that the tests mean the same wherever their folder is.
  static bool Always(int /*fd*/) { return true; }

  // The line of an index that remembers kForged for the file as it is now.
  std::string ForgedLine() const { return ForgedLine(file_); }
  static std::string ForgedLine(const std::string& file) {
    struct stat info = {};
    EXPECT_EQ(stat(file.c_str(), &info), 0);
    const auto time = [](const timespec& t) { return t.tv_sec * 1'000'000'000 + t.tv_nsec; };
    return Line(absl::StrCat(info.st_dev, " ", info.st_ino, " ", info.st_size, " ",
                             time(info.st_mtim), " ", time(info.st_ctim)));
  }
  static std::string Line(const std::string& state) {
    const std::string text = absl::StrCat(kForged, " ", state);
    return absl::StrFormat("%016x %s\n", Checksum::Of(text), text);
  }
  void WriteIndex(const std::string& text) const {
    ASSERT_TRUE(WriteFileByRename(index_, text).ok());
  }

  const std::string folder_ = testing::TempDir() + "weft-digest-index";
  const std::string file_ = folder_ + "/weights";
  const std::string index_ = folder_ + "/digests";
};

TEST_F(DigestIndexTest, AnswersWithoutReadingWhatDidNotChange) {
  EXPECT_EQ(Answer(), Truth());
  WriteIndex(ForgedLine());
  EXPECT_EQ(Answer(), kForged);
}

TEST_F(DigestIndexTest, ReadsWhatChanged) {
  WriteIndex(ForgedLine());
  Write('b');  // of the same size
  EXPECT_EQ(Answer(), Truth());
  WriteIndex(ForgedLine());
  EXPECT_EQ(Answer(), kForged);
  fs::last_write_time(file_, fs::file_time_type::clock::now() - std::chrono::hours(1));
  EXPECT_EQ(Answer(), Truth());
  WriteIndex(ForgedLine());
  fs::copy_file(file_, folder_ + "/copy");
  fs::rename(folder_ + "/copy", file_);  // another inode
  EXPECT_EQ(Answer(), Truth());
}

// Whoever makes a folder gives its files their names.
TEST_F(DigestIndexTest, NoNameIsADigest) {
  const std::string blobs = folder_ + "/models--org--name/blobs";
  fs::create_directories(blobs);
  fs::rename(file_, blobs + "/" + kForged);
  fs::create_symlink(blobs + "/" + kForged, file_);
  EXPECT_EQ(Answer(), Truth());
}

TEST_F(DigestIndexTest, OfAPipeIsAnError) {
  fs::remove(file_);
  ASSERT_EQ(mkfifo(file_.c_str(), 0600), 0);
  alarm(20);
  EXPECT_FALSE(DigestIndex(index_).Sha256(file_).ok());
  alarm(0);
}

TEST_F(DigestIndexTest, WhatOthersMayHaveWrittenIsNotBelieved) {
  WriteIndex(ForgedLine());
  EXPECT_EQ(Answer(), kForged);
  for (const mode_t mode : {0770U, 0777U, 0702U}) {
    ASSERT_EQ(chmod(folder_.c_str(), mode), 0);
    EXPECT_EQ(Answer(), Truth()) << mode;
  }
  ASSERT_EQ(chmod(folder_.c_str(), 0755), 0);
  EXPECT_EQ(Answer(), kForged);
  for (const mode_t mode : {0660U, 0606U}) {
    ASSERT_EQ(chmod(index_.c_str(), mode), 0);
    EXPECT_EQ(Answer(), Truth()) << mode;
  }
  ASSERT_EQ(chmod(index_.c_str(), 0644), 0);
  EXPECT_EQ(Answer(), kForged);
  if (geteuid() != 0) GTEST_SKIP() << "NOT TESTED: only root can give a file to another user";
  constexpr uid_t kNobody = 65534;
  ASSERT_EQ(chown(index_.c_str(), kNobody, kNobody), 0);
  EXPECT_EQ(Answer(), Truth());
}

TEST_F(DigestIndexTest, SavesIntoAFolderOfItsOwnAlone) {
  const std::string old = fs::canonical("/proc/self/exe").string();
  const mode_t mask = umask(0002);
  DigestIndex index(folder_ + "/cache/weft/digests", {}, Always);
  ASSERT_TRUE(index.Sha256(old).ok());
  (void)index.Save();
  umask(mask);
  constexpr fs::perms kOthers = fs::perms::group_write | fs::perms::others_write;
  for (const char* made : {"/cache", "/cache/weft", "/cache/weft/digests"})
    EXPECT_EQ(fs::status(folder_ + made).permissions() & kOthers, fs::perms::none) << made;
  // Not into what others may write to.
  fs::remove(folder_ + "/cache/weft/digests");
  ASSERT_EQ(chmod((folder_ + "/cache/weft").c_str(), 0777), 0);
  DigestIndex another(folder_ + "/cache/weft/digests", {}, Always);
  ASSERT_TRUE(another.Sha256(old).ok());
  EXPECT_TRUE(absl::IsPermissionDenied(another.Save()));
  EXPECT_FALSE(fs::exists(folder_ + "/cache/weft/digests"));
}

// Of files in memory, what is written through a map leaves no trace in their times.
TEST_F(DigestIndexTest, TimesOfFilesInMemoryAreNotBelieved) {
  const std::string file = "/dev/shm/weft-digest-index-" + std::to_string(getpid());
  std::ofstream(file, std::ios::binary) << std::string(2 << 20, 'a');
  if (!fs::exists(file)) GTEST_SKIP() << "NOT TESTED: no /dev/shm";
  WriteIndex(ForgedLine(file));
  EXPECT_EQ(*DigestIndex(index_).Sha256(file), *FileDigest(file, DigestKind::kSha256));
  fs::remove(file);
}

TEST_F(DigestIndexTest, WhereTimesTellNothingNothingIsRemembered) {
  const std::string old = fs::canonical("/proc/self/exe").string();
  WriteIndex(ForgedLine());
  DigestIndex index(index_, {}, [](int) { return false; });
  EXPECT_EQ(*index.Sha256(file_), Truth());
  EXPECT_EQ(*index.Sha256(old), *FileDigest(old, DigestKind::kSha256));
  EXPECT_TRUE(index.Save().ok());
  EXPECT_EQ(*ReadRegularFile(index_, 1 << 20), ForgedLine());
}

TEST_F(DigestIndexTest, SmallFilesAreAlwaysRead) {
  Write('c', 1000);
  WriteIndex(ForgedLine());
  EXPECT_EQ(Answer(), Truth());
}

TEST_F(DigestIndexTest, DamagedLinesArePassedOver) {
  const std::string good = ForgedLine();
  for (size_t i = 0; i < good.size(); ++i) {
    std::string text = good;
    text[i] = static_cast<char>(text[i] ^ 1);
    WriteIndex(text);
    EXPECT_EQ(Answer(), Truth()) << i;
    WriteIndex(good.substr(0, i));
    // Without its end of line it is whole all the same.
    EXPECT_EQ(Answer(), i + 1 < good.size() ? Truth() : kForged) << i;
  }
  WriteIndex(std::string(1000, '\0') + "\n\n \n" + good + "rubbish");
  EXPECT_EQ(Answer(), kForged);
}

TEST_F(DigestIndexTest, RemembersOnlyWhatHasBeenLeftAloneForAWhile) {
  DigestIndex index(index_, {}, Always);
  ASSERT_TRUE(index.Sha256(file_).ok());  // just written
  (void)index.Save();
  EXPECT_FALSE(fs::exists(index_));
  // The test itself was linked a while ago, and has more than a megabyte.
  const std::string old = fs::canonical("/proc/self/exe").string();
  ASSERT_TRUE(index.Sha256(old).ok());
  WriteIndex(ForgedLine());
  (void)index.Save();
  const std::string text = *ReadRegularFile(index_, 1 << 20);
  EXPECT_THAT(text, testing::HasSubstr(*FileDigest(old, DigestKind::kSha256)));
  // What another process wrote meanwhile is still there.
  EXPECT_EQ(Answer(), kForged);
}

TEST_F(DigestIndexTest, HoldsSoManyEntries) {
  std::string text = ForgedLine();
  for (size_t i = 0; i < DigestIndex::kMaxEntries; ++i) text += Line(absl::StrCat("1 ", i));
  WriteIndex(text);
  DigestIndex index(index_, {}, Always);
  ASSERT_TRUE(index.Sha256(fs::canonical("/proc/self/exe").string()).ok());
  (void)index.Save();
  const std::string saved = *ReadRegularFile(index_, 1 << 20);
  EXPECT_EQ(std::count(saved.begin(), saved.end(), '\n'), DigestIndex::kMaxEntries);
  EXPECT_EQ(Answer(), kForged);
}

TEST_F(DigestIndexTest, WorksWithoutAnIndex) {
  DigestIndex index("");
  EXPECT_EQ(*index.Sha256(file_), Truth());
  (void)index.Save();
  EXPECT_FALSE(index.Sha256(folder_ + "/nothing").ok());
  DigestIndex unwritable(file_ + "/digests");
  EXPECT_EQ(*unwritable.Sha256(file_), Truth());
  (void)unwritable.Save();
}

}  // namespace
}  // namespace weft::tools
