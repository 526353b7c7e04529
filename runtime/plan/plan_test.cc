#include "runtime/plan/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "runtime/base/read_file.h"
#include "runtime/plan/plan_writer.h"
#include "runtime/plan/program_json.h"
#include "runtime/plan/test_program.h"

namespace weft {
namespace {

using testing::HasSubstr;

constexpr absl::string_view kObject(
    "\x7f"
    "ELF\0machine code",
    17);

class PlanTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "weft_plan_" + std::to_string(getpid());
    std::filesystem::create_directory(folder_);
    path_ = folder_ + "/p.weft";
    for (size_t i = 0; i < 5000; ++i) weights_.push_back(static_cast<uint8_t>(i * 7));
    metadata_.model = "tiny";
    metadata_.eos_ids = {2};
    metadata_.targets = {{"rich", CpuFeatures(1023)}, {"poor", CpuFeatures(1)}};
    metadata_.stages = {"import", "last"};
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // Writes all sections but `without`.
  void Write(std::set<PlanSection> without = {}, uint64_t split_bytes = 0) {
    auto writer = PlanWriter::Create(path_, split_bytes);
    ASSERT_TRUE(writer.ok()) << writer.status();
    const auto add = [&](PlanSection kind, absl::string_view text, uint32_t index = 0) {
      if (without.count(kind) > 0) return;
      ASSERT_TRUE((*writer)->AddSection(kind, text, index).ok());
    };
    add(PlanSection::kProgram, ProgramToJson(TestProgram()));
    add(PlanSection::kMetadata, MetadataToJson(metadata_));
    add(PlanSection::kIr, "module @tiny imported");
    add(PlanSection::kIr, "module @tiny", 1);
    add(PlanSection::kTokenizer, "{}");
    add(PlanSection::kChatTemplate, "{{ x }}");
    for (uint32_t i = 0; i < codes_; ++i) add(PlanSection::kCode, kObject.substr(i), i);
    if (without.count(PlanSection::kWeights) == 0) {
      const auto weights = (*writer)->BeginWeights(weights_.size());
      ASSERT_TRUE(weights.ok()) << weights.status();
      std::copy(weights_.begin(), weights_.end(), weights->begin());
      ASSERT_TRUE((*writer)->EndWeights().ok());
    }
    ASSERT_TRUE((*writer)->Commit().ok());
  }

  std::string Bytes() { return *ReadFileToString(path_, 1 << 20); }
  void Overwrite(const std::string& bytes) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
  }
  std::string OpenError() { return std::string(Plan::Open(path_).status().message()); }

  std::string folder_;
  std::string path_;
  std::vector<uint8_t> weights_;
  PlanMetadata metadata_;
  uint32_t codes_ = 2;
};

TEST_F(PlanTest, RoundTrip) {
  Write();
  const auto plan = Plan::Open(path_);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ((*plan)->path(), path_);
  EXPECT_EQ((*plan)->program(), TestProgram());
  EXPECT_EQ((*plan)->metadata(), metadata_);
  EXPECT_EQ((*plan)->ir(), "module @tiny");
  EXPECT_EQ((*plan)->ir(0), "module @tiny imported");
  EXPECT_EQ((*plan)->tokenizer(), "{}");
  EXPECT_EQ((*plan)->chat_template(), "{{ x }}");
  for (const size_t target : {0, 1}) {
    const absl::Span<const uint8_t> code = (*plan)->code(target);
    EXPECT_EQ(absl::string_view(reinterpret_cast<const char*>(code.data()), code.size()),
              kObject.substr(target));
  }
  EXPECT_EQ((*plan)->sections().size(), 9u);
  EXPECT_EQ((*plan)->weights(), absl::MakeConstSpan(weights_));
  EXPECT_EQ(reinterpret_cast<uintptr_t>((*plan)->weights().data()) % 4096, 0u);
  EXPECT_TRUE((*plan)->VerifyWeights().ok());
  const std::string bytes = Bytes();
  EXPECT_TRUE(Plan::LooksLikePlan(
      absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size())));
  EXPECT_FALSE(Plan::LooksLikePlan({}));
}

TEST_F(PlanTest, WritingTwiceGivesTheSameBytes) {
  Write();
  const std::string first = Bytes();
  Write();
  EXPECT_EQ(Bytes(), first);
}

TEST_F(PlanTest, SomeSectionsMayBeMissing) {
  metadata_.stages.clear();
  Write({PlanSection::kIr, PlanSection::kTokenizer, PlanSection::kChatTemplate});
  const auto plan = Plan::Open(path_);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ((*plan)->ir(), "");
  for (const PlanSection kind :
       {PlanSection::kProgram, PlanSection::kMetadata, PlanSection::kCode, PlanSection::kWeights}) {
    Write({kind});
    EXPECT_THAT(OpenError(),
                HasSubstr("the plan has no section '" + std::string(Name(kind)) + "'"));
  }
}

TEST_F(PlanTest, NoPlan) {
  EXPECT_THAT(OpenError(), HasSubstr(path_));
  for (const std::string& bytes : {std::string(), std::string("GGUF\3"), std::string(5000, 'x')}) {
    Overwrite(bytes);
    EXPECT_THAT(OpenError(), HasSubstr(path_ + ": not a plan"));
  }
  EXPECT_FALSE(Plan::Open(folder_).ok());
}

TEST_F(PlanTest, TruncatedAnywhere) {
  Write();
  const std::string bytes = Bytes();
  const auto entries = DecodePlanHeader(
      absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()), path_);
  ASSERT_TRUE(entries.ok());
  std::set<size_t> sizes = {0, 1, 7, 8, 9, 31, 32, 33, 63, 64, 65, bytes.size() - 1};
  for (const PlanEntry& entry : *entries) {
    for (const uint64_t boundary : {entry.offset, entry.offset + entry.size}) {
      for (const uint64_t size : {boundary - 1, boundary, boundary + 1}) {
        if (size < bytes.size()) sizes.insert(size);
      }
    }
  }
  EXPECT_GT(sizes.size(), 40u);
  for (const size_t size : sizes) {
    Overwrite(bytes.substr(0, size));
    EXPECT_FALSE(Plan::Open(path_).ok()) << size;
  }
}

TEST_F(PlanTest, FlippedBitsInEachSection) {
  Write();
  const std::string good = Bytes();
  const auto entries = DecodePlanHeader(
      absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(good.data()), good.size()), path_);
  ASSERT_TRUE(entries.ok());
  ASSERT_EQ(entries->size(), kPlanSectionKinds + 1);  // all but side files
  for (const PlanEntry& entry : *entries) {
    for (const uint64_t at : {uint64_t{0}, entry.size / 2, entry.size - 1}) {
      for (const int bit : {0, 7}) {
        std::string bytes = good;
        bytes[entry.offset + at] = static_cast<char>(bytes[entry.offset + at] ^ (1 << bit));
        Overwrite(bytes);
        const auto plan = Plan::Open(path_);
        const absl::Status status = plan.ok() ? (*plan)->VerifyWeights() : plan.status();
        EXPECT_EQ(plan.ok(), entry.kind == PlanSection::kWeights);
        EXPECT_THAT(std::string(status.message()),
                    HasSubstr("checksum of section '" + Name(entry) + "', from byte " +
                              std::to_string(entry.offset)));
      }
    }
  }
}

TEST_F(PlanTest, WeightsInSideFiles) {
  Write({}, /*split_bytes=*/8192);
  const std::string parts[] = {folder_ + "/p-00001-of-00002.weftw",
                               folder_ + "/p-00002-of-00002.weftw"};
  const auto plan = Plan::Open(path_);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ((*plan)->weights(), absl::MakeConstSpan(weights_));
  EXPECT_EQ((*plan)->side_files().size(), 2U);
  EXPECT_TRUE((*plan)->VerifyWeights().ok());
  const std::string first = Bytes();
  Write({}, 8192);
  EXPECT_EQ(Bytes(), first) << "written twice";

  const std::string second = *ReadFileToString(parts[1], 1 << 20);
  std::string damaged = second;
  damaged.back() ^= 1;
  std::ofstream(parts[1], std::ios::binary | std::ios::trunc) << damaged;
  const auto opened = Plan::Open(path_);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_THAT(std::string((*opened)->VerifyWeights().message()),
              HasSubstr(parts[1] + ": checksum of the weights does not match"));
  std::ofstream(parts[1], std::ios::binary | std::ios::trunc) << second.substr(0, 4200);
  EXPECT_THAT(OpenError(), HasSubstr(parts[1] + ": has 4200 bytes"));
  std::filesystem::remove(parts[1]);
  EXPECT_THAT(OpenError(), HasSubstr(parts[1] + ": not found"));
  std::ofstream(parts[1], std::ios::binary) << second;
  EXPECT_TRUE(Plan::Open(path_).ok());
  Write({PlanSection::kWeights}, 8192);
  EXPECT_THAT(OpenError(), HasSubstr("has no section 'weights'"));
}

TEST_F(PlanTest, WeightsOfAnotherProgram) {
  weights_.pop_back();
  Write();
  EXPECT_THAT(OpenError(), HasSubstr("needs 5000 bytes of weights, the plan has 4999"));
}

TEST_F(PlanTest, CodeAndIrAreThoseOfTheMetadata) {
  codes_ = 1;
  Write();
  EXPECT_THAT(OpenError(), HasSubstr("has 1 sections 'machine code', which are not those of the 2 "
                                     "targets in its metadata"));
  codes_ = 3;
  Write();
  EXPECT_THAT(OpenError(), HasSubstr("has 3 sections 'machine code'"));
  codes_ = 2;
  metadata_.stages = {"last"};
  Write();
  EXPECT_THAT(OpenError(), HasSubstr("has 2 sections 'IR', which are not those of the 1 stages"));
}

TEST_F(PlanTest, ErrorsInsideSectionsNameTheFile) {
  metadata_.targets[1].name = "rich";
  Write();
  EXPECT_THAT(OpenError(), HasSubstr(path_ + ": metadata: "));
}

}  // namespace
}  // namespace weft
