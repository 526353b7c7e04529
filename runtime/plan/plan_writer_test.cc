#include "runtime/plan/plan_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "runtime/base/read_file.h"

namespace weft {
namespace {

using testing::HasSubstr;

class PlanWriterTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "weft_plan_writer_" + std::to_string(getpid());
    std::filesystem::create_directory(folder_);
    path_ = folder_ + "/p.weft";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
  std::string path_;
};

TEST_F(PlanWriterTest, SectionsStandWhereTheTableSays) {
  auto writer = PlanWriter::Create(path_);
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE((*writer)->AddSection(PlanSection::kIr, "module").ok());
  const auto weights = (*writer)->BeginWeights(6);
  ASSERT_TRUE(weights.ok()) << weights.status();
  EXPECT_EQ(*weights, std::vector<uint8_t>(6));
  const std::vector<uint8_t> joined = {1, 2, 3, 1, 2, 3};
  std::copy(joined.begin(), joined.end(), weights->begin());
  ASSERT_TRUE((*writer)->EndWeights().ok());
  ASSERT_TRUE((*writer)->AddSection(PlanSection::kChatTemplate, "").ok());
  ASSERT_TRUE((*writer)->AddSection(PlanSection::kIr, "later module", 1).ok());
  EXPECT_FALSE(std::filesystem::exists(path_));
  ASSERT_TRUE((*writer)->Commit().ok());

  const absl::StatusOr<std::string> file = ReadFileToString(path_, 1 << 20);
  ASSERT_TRUE(file.ok());
  const auto entries = DecodePlanHeader(
      absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(file->data()), file->size()), path_);
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_EQ(entries->size(), 4u);
  EXPECT_EQ(file->substr((*entries)[0].offset, (*entries)[0].size), "module");
  EXPECT_EQ(file->substr((*entries)[1].offset, (*entries)[1].size), "\1\2\3\1\2\3");
  EXPECT_EQ((*entries)[1].checksum, Checksum::Of(joined));
  EXPECT_EQ((*entries)[2].size, 0u);
  EXPECT_EQ((*entries)[3].index, 1u);
  EXPECT_EQ(file->substr((*entries)[3].offset, (*entries)[3].size), "later module");
}

TEST_F(PlanWriterTest, SideFilesComeAndGoWithThePlan) {
  for (const bool commit : {false, true}) {
    auto writer = PlanWriter::Create(path_, kMinSideFileBytes);
    ASSERT_TRUE(writer.ok()) << writer.status();
    const auto weights = (*writer)->BeginWeights(10000);
    ASSERT_TRUE(weights.ok()) << weights.status();
    ASSERT_EQ(weights->size(), 10000U);
    weights->back() = 1;
    ASSERT_TRUE((*writer)->EndWeights().ok());
    EXPECT_TRUE(std::filesystem::is_empty(folder_));
    // A folder where the plan belongs: its side files are there first, and must go again.
    if (!commit) std::filesystem::create_directory(path_);
    EXPECT_EQ((*writer)->Commit().ok(), commit);
    writer->reset();
    if (!commit) {
      std::filesystem::remove(path_);
      EXPECT_TRUE(std::filesystem::is_empty(folder_));
    }
  }
  EXPECT_EQ(std::filesystem::file_size(folder_ + "/p-00003-of-00003.weftw"), 4096 + 10000 % 4096);
}

TEST_F(PlanWriterTest, NothingAppearsWithoutCommit) {
  {
    auto writer = PlanWriter::Create(path_);
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE((*writer)->AddSection(PlanSection::kIr, "module").ok());
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(PlanWriterTest, PlacesThatTakeNoPlan) {
  EXPECT_THAT(std::string(PlanWriter::Create("/dev/null").status().message()),
              HasSubstr("/dev/null: a plan cannot be written to a pipe or device"));
  EXPECT_THAT(std::string(PlanWriter::Create(folder_).status().message()), HasSubstr("folder"));
  EXPECT_FALSE(PlanWriter::Create(folder_ + "/none/p.weft").ok());
}

using PlanWriterDeathTest = PlanWriterTest;

TEST_F(PlanWriterDeathTest, ASectionTwice) {
  auto writer = PlanWriter::Create(path_);
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE((*writer)->AddSection(PlanSection::kIr, "module").ok());
  EXPECT_DEATH((void)(*writer)->AddSection(PlanSection::kIr, "module"), "check failed");
  EXPECT_DEATH((void)(*writer)->AddSection(PlanSection::kProgram, "{}", 1), "check failed");
}

}  // namespace
}  // namespace weft
