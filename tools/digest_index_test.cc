#include "tools/digest_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

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
    Write('a');
  }
  ~DigestIndexTest() override { fs::remove_all(folder_); }

  void Write(char letter, size_t bytes = 2 << 20) const {
    std::ofstream(file_, std::ios::binary) << std::string(bytes, letter);
  }
  std::string Truth() const { return *FileDigest(file_, DigestKind::kSha256); }
  std::string Answer() const { return *DigestIndex(index_).Sha256(file_); }

  // The line of an index that remembers kForged for the file as it is now.
  std::string ForgedLine() const {
    struct stat info = {};
    EXPECT_EQ(stat(file_.c_str(), &info), 0);
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
  DigestIndex index(index_);
  ASSERT_TRUE(index.Sha256(file_).ok());  // just written
  index.Save();
  EXPECT_FALSE(fs::exists(index_));
  // The test itself was linked a while ago, and has more than a megabyte.
  const std::string old = fs::canonical("/proc/self/exe").string();
  ASSERT_TRUE(index.Sha256(old).ok());
  WriteIndex(ForgedLine());
  index.Save();
  const std::string text = *ReadRegularFile(index_, 1 << 20);
  EXPECT_THAT(text, testing::HasSubstr(*FileDigest(old, DigestKind::kSha256)));
  // What another process wrote meanwhile is still there.
  EXPECT_EQ(Answer(), kForged);
}

TEST_F(DigestIndexTest, HoldsSoManyEntries) {
  std::string text = ForgedLine();
  for (size_t i = 0; i < DigestIndex::kMaxEntries; ++i) text += Line(absl::StrCat("1 ", i));
  WriteIndex(text);
  DigestIndex index(index_);
  ASSERT_TRUE(index.Sha256(fs::canonical("/proc/self/exe").string()).ok());
  index.Save();
  const std::string saved = *ReadRegularFile(index_, 1 << 20);
  EXPECT_EQ(std::count(saved.begin(), saved.end(), '\n'), DigestIndex::kMaxEntries);
  EXPECT_EQ(Answer(), kForged);
}

TEST_F(DigestIndexTest, WorksWithoutAnIndex) {
  DigestIndex index("");
  EXPECT_EQ(*index.Sha256(file_), Truth());
  index.Save();
  EXPECT_FALSE(index.Sha256(folder_ + "/nothing").ok());
  DigestIndex unwritable(file_ + "/digests");
  EXPECT_EQ(*unwritable.Sha256(file_), Truth());
  unwritable.Save();
}

}  // namespace
}  // namespace weft::tools
