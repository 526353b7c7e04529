#include "runtime/plan/plan_format.h"

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "runtime/plan/checksum.h"

namespace weft {
namespace {

using testing::HasSubstr;

// A file of two sections with 5 and 7 bytes.
std::vector<PlanEntry> Entries() {
  return {{PlanSection::kProgram, 4096, 5, 11}, {PlanSection::kCode, 8192, 7, 12, 3}};
}

std::vector<uint8_t> FileWith(const std::vector<PlanEntry>& entries, uint64_t size = 8199) {
  std::vector<uint8_t> file = EncodePlanHeader(entries, size);
  file.resize(size);
  return file;
}

std::string Error(const std::vector<uint8_t>& file) {
  return std::string(DecodePlanHeader(file, "p.weft").status().message());
}

TEST(PlanFormat, LayoutIsThatOfTheDocs) {
  const std::vector<uint8_t> bytes = EncodePlanHeader(Entries(), 8199);
  ASSERT_EQ(bytes.size(), 32u + 2 * 32u);
  EXPECT_EQ(std::string(bytes.begin(), bytes.begin() + 8), "WEFTPLAN");
  const auto u64 = [&](size_t at) {
    uint64_t value = 0;
    for (size_t i = 8; i-- > 0;) value = value << 8 | bytes[at + i];
    return value;
  };
  EXPECT_EQ(u64(8), 4u | uint64_t{2} << 32) << "version 4, two sections";
  EXPECT_EQ(u64(16), 8199u);
  std::vector<uint8_t> covered(bytes.begin(), bytes.begin() + 24);
  covered.insert(covered.end(), bytes.begin() + 32, bytes.end());
  EXPECT_EQ(u64(24), Checksum::Of(covered));
  EXPECT_EQ(u64(64), 6u | uint64_t{3} << 32) << "kind and index of the second entry";
  EXPECT_EQ(u64(72), 8192u);
  EXPECT_EQ(u64(80), 7u);
  EXPECT_EQ(u64(88), 12u);
}

TEST(PlanFormat, RoundTrip) {
  const auto entries = DecodePlanHeader(FileWith(Entries()), "p.weft");
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_EQ(entries->size(), 2u);
  EXPECT_EQ((*entries)[1].kind, PlanSection::kCode);
  EXPECT_EQ((*entries)[1].index, 3u);
  EXPECT_EQ((*entries)[1].offset, 8192u);
  EXPECT_EQ((*entries)[1].size, 7u);
  EXPECT_EQ((*entries)[1].checksum, 12u);
}

TEST(PlanFormat, NoPlan) {
  EXPECT_THAT(Error({}), HasSubstr("p.weft: not a plan"));
  EXPECT_THAT(Error({'W', 'E', 'F', 'X'}), HasSubstr("not a plan"));
  EXPECT_THAT(Error(std::vector<uint8_t>(10000, 0)), HasSubstr("not a plan"));
  EXPECT_THAT(Error({'W', 'E', 'F', 'T'}), HasSubstr("truncated at byte 4, within the header"));
}

TEST(PlanFormat, AnotherVersion) {
  std::vector<uint8_t> file = FileWith(Entries());
  file[8] = kPlanFormatVersion + 1;
  EXPECT_THAT(Error(file),
              HasSubstr(absl::StrCat("plan format version at byte 8 is ", kPlanFormatVersion + 1,
                                     "; this weft reads version ", kPlanFormatVersion,
                                     " (compile the model again")));
}

TEST(PlanFormat, EveryBitOfHeaderAndTableCounts) {
  const std::vector<uint8_t> good = FileWith(Entries());
  for (size_t bit = 0; bit < 8 * (32 + 2 * 32); ++bit) {
    std::vector<uint8_t> file = good;
    file[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_FALSE(DecodePlanHeader(file, "p.weft").ok()) << "bit " << bit;
  }
}

TEST(PlanFormat, Truncated) {
  std::vector<uint8_t> file = FileWith(Entries());
  while (!file.empty()) {
    file.pop_back();
    EXPECT_FALSE(DecodePlanHeader(file, "p.weft").ok()) << file.size();
  }
  file = FileWith(Entries());
  file.push_back(0);
  EXPECT_THAT(Error(file), HasSubstr("file size at byte 16 is 8199, the file has 8200 bytes"));
}

TEST(PlanFormat, MisplacedSections) {  // with checksums that match
  struct Case {
    size_t entry;
    PlanEntry value;
    const char* message;
  };
  const Case cases[] = {
      {0, {PlanSection::kProgram, 0, 5, 0}, "misplaced"},
      {0, {PlanSection::kProgram, 4100, 5, 0}, "misplaced"},
      {0, {PlanSection::kProgram, 4096, 4097, 0}, "misplaced"},
      {0, {PlanSection::kProgram, 8192, 1, 0}, "misplaced"},
      {1,
       {PlanSection::kWeights, 8192, 8, 0},
       "section 'weights' (entry at byte 64) has 8 bytes from byte 8192"},
      {1, {PlanSection::kWeights, 8192, UINT64_MAX, 0}, "misplaced"},
      {1, {PlanSection::kWeights, 12288, 0, 0}, "misplaced"},
      {1, {PlanSection::kWeights, UINT64_MAX - 4095, 4096, 0}, "misplaced"},
      {1, {PlanSection::kProgram, 8192, 7, 0}, "unknown or repeated"},
      {1, {static_cast<PlanSection>(0), 8192, 7, 0}, "unknown or repeated"},
      {1, {static_cast<PlanSection>(9), 8192, 7, 0}, "unknown or repeated"},
      {1, {PlanSection::kWeights, 8192, 7, 0, 1}, "kind 7 with index 1, which is unknown"},
      {0, {PlanSection::kCode, 4096, 5, 0, 3}, "unknown or repeated"},
  };
  for (const Case& c : cases) {
    std::vector<PlanEntry> entries = Entries();
    entries[c.entry] = c.value;
    EXPECT_THAT(Error(FileWith(entries)), HasSubstr(c.message));
  }
}

TEST(PlanFormat, TooManySections) {
  std::vector<PlanEntry> entries;
  for (uint32_t i = 0; i <= kMaxPlanSections; ++i)
    entries.push_back({PlanSection::kIr, 4096, 0, 0, i});
  EXPECT_THAT(Error(FileWith(entries)), HasSubstr("section count at byte 12 is 128"));
  entries.pop_back();
  EXPECT_TRUE(DecodePlanHeader(FileWith(entries), "p.weft").ok()) << "empty ones may share a place";
}

}  // namespace
}  // namespace weft
