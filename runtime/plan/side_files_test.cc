#include "runtime/plan/side_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "runtime/base/read_file.h"
#include "runtime/plan/checksum.h"

namespace weft {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class SideFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "weft_side_files_" + std::to_string(getpid());
    std::filesystem::create_directory(folder_);
    plan_ = folder_ + "/m.weft";
    for (size_t i = 0; i < 30000; ++i) weights_.push_back(static_cast<uint8_t>(i * 7 + i / 256));
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // Writes weights_ in files of 12 KiB, which hold 8 KiB of them each.
  std::vector<SideFile> Write() {
    auto writer = SideFileWriter::Create(plan_, weights_.size(), 3 * 4096);
    EXPECT_TRUE(writer.ok()) << writer.status();
    std::copy(weights_.begin(), weights_.end(), (*writer)->weights().begin());
    const auto files = (*writer)->Finish();
    EXPECT_TRUE(files.ok()) << files.status();
    EXPECT_TRUE((*writer)->Flush().ok());
    EXPECT_TRUE((*writer)->Publish().ok());
    (*writer)->Keep();
    return *files;
  }
  std::set<std::string> Names() const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_))
      names.insert(entry.path().filename().string());
    return names;
  }
  std::string PathOf(const SideFile& file) const { return folder_ + "/" + file.name; }
  std::string OpenError(const std::vector<SideFile>& files, size_t index) const {
    return std::string(OpenSideFile(plan_, files, index).status().message());
  }

  std::string folder_;
  std::string plan_;
  std::vector<uint8_t> weights_;
};

TEST_F(SideFilesTest, WrittenAndOpenedAgain) {
  const std::vector<SideFile> files = Write();
  EXPECT_THAT(Names(), ElementsAre("m-00001-of-00004.weftw", "m-00002-of-00004.weftw",
                                   "m-00003-of-00004.weftw", "m-00004-of-00004.weftw"));
  ASSERT_EQ(files.size(), 4U);
  std::vector<MappedBlock::Part> parts;
  uint64_t at = 0;
  for (size_t i = 0; i < files.size(); ++i) {
    EXPECT_EQ(files[i].bytes, i < 3 ? 8192 : 30000 - 3 * 8192);
    EXPECT_EQ(files[i].checksum,
              Checksum::Of(absl::MakeConstSpan(weights_).subspan(at, files[i].bytes)));
    at += files[i].bytes;
    auto part = OpenSideFile(plan_, files, i);
    ASSERT_TRUE(part.ok()) << part.status();
    parts.push_back(*std::move(part));
    EXPECT_LE(std::filesystem::file_size(PathOf(files[i])), 3U * 4096);
  }
  const auto block = MappedBlock::Map(std::move(parts));
  ASSERT_TRUE(block.ok()) << block.status();
  EXPECT_EQ((*block)->bytes(), absl::MakeConstSpan(weights_));
  const std::string header = ReadFileToString(PathOf(files[1]), 1 << 20)->substr(0, 16);
  EXPECT_EQ(header, std::string("WEFTPART\2\0\0\0\4\0\0\0", 16));
}

TEST_F(SideFilesTest, JsonRoundTrip) {
  const std::vector<SideFile> files = {{"a b-1", 8192, UINT64_MAX}, {"b", 1, 0}};
  const auto read = SideFilesFromJson(SideFilesToJson(files), "p");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, files);
}

TEST_F(SideFilesTest, JsonThatDoesNotFit) {
  const std::vector<std::pair<std::vector<SideFile>, std::string>> wrong = {
      {{}, "files has 0 entries"},
      {{{"", 1, 0}}, "name '' is not that of a file beside the plan"},
      {{{"..", 1, 0}}, "is not that of a file"},
      {{{"../a", 1, 0}}, "is not that of a file"},
      {{{"/etc/passwd", 1, 0}}, "is not that of a file"},
      {{{"a", 0, 0}}, "bytes are out of bounds"},
      {{{"a", UINT64_MAX - 4095, 0}, {"b", 4096, 0}}, "bytes are out of bounds"},
      {{{"a", 4097, 0}, {"b", 1, 0}}, "files[0].bytes are no multiple of 4096"}};
  for (const auto& [files, message] : wrong) {
    EXPECT_THAT(std::string(SideFilesFromJson(SideFilesToJson(files), "p").status().message()),
                HasSubstr(message));
  }
  EXPECT_FALSE(SideFilesFromJson("{}", "p").ok());
  EXPECT_FALSE(SideFilesFromJson("[", "p").ok());
}

TEST_F(SideFilesTest, MissingTruncatedAndForeignFilesAreNamed) {
  const std::vector<SideFile> files = Write();
  const std::string second = PathOf(files[1]);
  const std::string third = PathOf(files[2]);
  std::filesystem::resize_file(PathOf(files[0]), 5000);
  EXPECT_THAT(OpenError(files, 0),
              HasSubstr(PathOf(files[0]) + ": has 5000 bytes, the plan says 12288"));
  // Of one size: only their headers tell them apart.
  std::filesystem::rename(second, second + ".x");
  std::filesystem::rename(third, second);
  std::filesystem::rename(second + ".x", third);
  EXPECT_THAT(OpenError(files, 1), HasSubstr(second + ": is not part 2 of 4 of the weights of"));
  EXPECT_THAT(OpenError(files, 2), HasSubstr(third + ": is not part 3 of 4"));
  std::filesystem::remove(third);
  EXPECT_THAT(OpenError(files, 2),
              HasSubstr(third + ": not found; it holds a part of the weights"));
  EXPECT_TRUE(OpenSideFile(plan_, files, 3).ok());
  // The same parts of another plan.
  weights_[20000] ^= 1;
  Write();
  EXPECT_THAT(OpenError(files, 2), HasSubstr("of another plan"));
  EXPECT_TRUE(OpenSideFile(plan_, files, 1).ok()) << "its weights are equal";
}

TEST_F(SideFilesTest, AreFoundBesideWhatALinkLeadsTo) {
  const std::vector<SideFile> files = Write();
  std::ofstream(plan_) << "plan";
  std::filesystem::create_directory(folder_ + "/links");
  const std::string link = folder_ + "/links/other.weft";
  std::filesystem::create_symlink("../m.weft", link);
  EXPECT_TRUE(OpenSideFile(link, files, 0).ok());
}

TEST_F(SideFilesTest, NothingStaysUnlessKept) {
  {
    auto writer = SideFileWriter::Create(plan_, weights_.size(), 3 * 4096);
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE((*writer)->Finish().ok());
    ASSERT_TRUE((*writer)->Flush().ok());
    EXPECT_TRUE(Names().empty());
    ASSERT_TRUE((*writer)->Publish().ok());
    EXPECT_EQ(Names().size(), 4U);
  }
  EXPECT_TRUE(Names().empty());
}

TEST_F(SideFilesTest, TooManyFilesAndNoFolder) {
  EXPECT_THAT(
      std::string(
          SideFileWriter::Create(plan_, uint64_t{1} << 40, kMinSideFileBytes).status().message()),
      HasSubstr("give a larger --split-size"));
  EXPECT_FALSE(SideFileWriter::Create(folder_ + "/no/m.weft", 10000, kMinSideFileBytes).ok());
  // Names that readers refuse.
  for (const std::string& name :
       {std::string("a\\b.weft"), std::string("a\nb.weft"), std::string(245, 'a') + ".weft"}) {
    EXPECT_THAT(std::string(SideFileWriter::Create(folder_ + "/" + name, 10000, kMinSideFileBytes)
                                .status()
                                .message()),
                HasSubstr("side files cannot be named after it"));
  }
  EXPECT_TRUE(Names().empty());
}

}  // namespace
}  // namespace weft
