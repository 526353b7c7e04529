#include "tools/plan_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "runtime/plan/plan_writer.h"
#include "runtime/plan/program_json.h"
#include "runtime/plan/test_program.h"

namespace weft::tools {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(ParseBytes, TakesUnitsOfAThousand) {
  EXPECT_EQ(*ParseBytes("0"), 0);
  EXPECT_EQ(*ParseBytes("4096"), 4096);
  EXPECT_EQ(*ParseBytes("100B"), 100);
  EXPECT_EQ(*ParseBytes("2kB"), 2000);
  EXPECT_EQ(*ParseBytes("3 MB"), 3'000'000);
  EXPECT_EQ(*ParseBytes(" 1.5GB "), 1'500'000'000);
  EXPECT_EQ(*ParseBytes("20g"), 20'000'000'000);
  EXPECT_EQ(*ParseBytes("1T"), 1'000'000'000'000);
  for (const char* wrong : {"", "GB", "x", "-1", "1PB", "1GBB", "1 2", "nan", "inf", "1e30", "5%"})
    EXPECT_THAT(ParseBytes(wrong).status().ToString(), HasSubstr("is no size")) << wrong;
}

class PlanCacheTest : public testing::Test {
 protected:
  PlanCacheTest() {
    fs::remove_all(folder_);
    setenv("WEFT_CACHE_SIZE", "1GB", /*overwrite=*/1);
  }
  ~PlanCacheTest() override {
    unsetenv("WEFT_CACHE_SIZE");
    fs::remove_all(folder_);
  }

  // The first digit of the id is `letter`.
  static PlanKey Key(char letter, const std::string& weights = "w",
                     const std::string& compiler = "c") {
    return {{{"compiler", compiler}, {"weights", weights}, {"options", std::string(1, letter)}},
            letter + std::string(15, '0')};
  }

  // A small plan of the format's own making.
  void Write(const PlanKey& key) const {
    const auto lock = cache_.Lock(key, [] {}, nullptr);
    ASSERT_TRUE(lock.ok()) << lock.status();
    const absl::Status prepared = cache_.Prepare(key, 1);
    ASSERT_TRUE(prepared.ok()) << prepared;
    auto writer = PlanWriter::Create(cache_.PathOf(key));
    ASSERT_TRUE(writer.ok()) << writer.status();
    const Program program = TestProgram();
    ASSERT_TRUE((*writer)->AddSection(PlanSection::kProgram, ProgramToJson(program)).ok());
    PlanMetadata metadata;
    metadata.targets.push_back({"x86-64-v3", CpuFeatures()});
    ASSERT_TRUE((*writer)->AddSection(PlanSection::kMetadata, MetadataToJson(metadata)).ok());
    ASSERT_TRUE((*writer)->AddSection(PlanSection::kCode, "code").ok());
    ASSERT_TRUE((*writer)->BeginWeights(program.weight_bytes).ok());
    ASSERT_TRUE((*writer)->EndWeights().ok());
    ASSERT_TRUE((*writer)->Commit().ok());
  }
  bool Has(const PlanKey& key) const {
    const auto plan = cache_.Find(key);
    return plan.ok() && *plan != nullptr;
  }
  void UsedHoursAgo(char letter, int hours) const {
    fs::last_write_time(absl::StrCat(folder_, "/", Key(letter).id, ".json"),
                        fs::file_time_type::clock::now() - std::chrono::hours(hours));
  }
  std::string Letters() const {
    std::string letters;
    const auto entries = cache_.List();
    for (const PlanCache::Entry& entry : entries.value()) letters += entry.id[0];
    return letters;
  }
  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_))
      names.push_back(entry.path().filename().string());
    std::ranges::sort(names);
    return names;
  }

  const std::string folder_ = testing::TempDir() + "weft-plan-cache";
  const PlanCache cache_{folder_};
};

TEST_F(PlanCacheTest, FindsWhatWasWritten) {
  EXPECT_FALSE(Has(Key('a')));
  Write(Key('a'));
  EXPECT_TRUE(Has(Key('a')));
  EXPECT_FALSE(Has(Key('b')));
  // Of the same id, but another key.
  PlanKey other = Key('a');
  other.content["options"] = "x";
  EXPECT_FALSE(Has(other));
}

TEST_F(PlanCacheTest, DamageIsNoPlan) {
  Write(Key('a'));
  const std::string plan = cache_.PathOf(Key('a'));
  const std::string description = absl::StrCat(folder_, "/", Key('a').id, ".json");
  for (const size_t size : {0, 5, 40}) {
    fs::resize_file(description, size);
    EXPECT_FALSE(Has(Key('a'))) << size;
    EXPECT_THAT(Letters(), IsEmpty());
    Write(Key('a'));
    EXPECT_TRUE(Has(Key('a'))) << size;
  }
  fs::resize_file(plan, fs::file_size(plan) - 1);
  EXPECT_FALSE(cache_.Find(Key('a')).ok());
  fs::remove(plan);
  EXPECT_TRUE(cache_.Find(Key('a')).ok());
  EXPECT_FALSE(Has(Key('a')));
}

TEST_F(PlanCacheTest, ListAndPruneGoByLastUse) {
  for (const char letter : {'a', 'b', 'c', 'd'}) Write(Key(letter));
  for (const auto& [letter, hours] :
       {std::pair('a', 1), std::pair('b', 4), std::pair('c', 2), std::pair('d', 3)}) {
    UsedHoursAgo(letter, hours);
  }
  EXPECT_EQ(Letters(), "acdb");
  EXPECT_TRUE(Has(Key('b')));  // used now
  EXPECT_EQ(Letters(), "bacd");
  const uint64_t each = (*cache_.List())[0].bytes;
  EXPECT_GT(each, fs::file_size(cache_.PathOf(Key('a'))));
  EXPECT_EQ(cache_.Prune(4 * each).plans, 0);
  const PlanCache::Removed removed = cache_.Prune(3 * each - 1);
  EXPECT_EQ(removed.plans, 2);
  EXPECT_EQ(removed.bytes, 2 * each);
  EXPECT_EQ(Letters(), "ba");
  EXPECT_EQ(cache_.Prune(0).plans, 2);
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(PlanCacheTest, MakesRoomBeforeWriting) {
  Write(Key('a'));
  UsedHoursAgo('a', 1);
  Write(Key('b'));
  const uint64_t each = (*cache_.List())[0].bytes;
  setenv("WEFT_CACHE_SIZE", absl::StrCat(2 * each).c_str(), /*overwrite=*/1);
  EXPECT_TRUE(cache_.Prepare(Key('c'), each).ok());
  EXPECT_EQ(Letters(), "b");
  EXPECT_THAT(cache_.Prepare(Key('c'), 2 * each + 1).ToString(), HasSubstr("WEFT_CACHE_SIZE"));
  EXPECT_EQ(Letters(), "b");
}

TEST_F(PlanCacheTest, BoundFromTheEnvironment) {
  EXPECT_EQ(*cache_.MaxBytes(), 1'000'000'000);
  setenv("WEFT_CACHE_SIZE", "lots", /*overwrite=*/1);
  EXPECT_THAT(cache_.MaxBytes().status().ToString(), HasSubstr("WEFT_CACHE_SIZE: 'lots'"));
  unsetenv("WEFT_CACHE_SIZE");
  const uint64_t most = *cache_.MaxBytes();
  EXPECT_GT(most, 0);
  EXPECT_LE(most, 20'000'000'000);
  EXPECT_LE(most, fs::space(testing::TempDir()).capacity / 2);
}

TEST_F(PlanCacheTest, RelatedPlansShareWeightsAndCompiler) {
  Write(Key('a', "w", "c"));
  Write(Key('b', "w", "other"));
  Write(Key('c', "other", "c"));
  const auto related = cache_.FindRelated(Key('d', "w", "c"));
  ASSERT_NE(related, nullptr);
  EXPECT_EQ(related->path(), cache_.PathOf(Key('a')));
  EXPECT_EQ(cache_.FindRelated(Key('d', "w", "none")), nullptr);
}

TEST_F(PlanCacheTest, WhatIsBeingWrittenIsLeftAlone) {
  Write(Key('a'));
  const std::string temporary = cache_.PathOf(Key('b')) + ".tmp-1-0";
  {
    const auto a = cache_.Lock(Key('a'), [] {}, nullptr);
    const auto b = cache_.Lock(Key('b'), [] {}, nullptr);
    ASSERT_TRUE(a.ok() && b.ok());
    std::ofstream(temporary) << "x";
    EXPECT_EQ(cache_.Prune(0).plans, 0);
    EXPECT_TRUE(Has(Key('a')));
    EXPECT_TRUE(fs::exists(temporary));
  }
  // As a killed process leaves it: without the lock.
  std::ofstream(folder_ + "/README") << "somebody else's";
  EXPECT_EQ(cache_.Prune(1 << 30).plans, 0);
  EXPECT_TRUE(Has(Key('a')));
  EXPECT_THAT(Files(), ElementsAre("README", Key('a').id + ".json", Key('a').id + ".lock",
                                   Key('a').id + ".weft"));
}

TEST_F(PlanCacheTest, WhatCannotBeReadIsNotLeftOut) {
  Write(Key('a'));
  const std::string unreadable = absl::StrCat(folder_, "/", Key('b').id, ".json");
  fs::create_directory(unreadable);
  EXPECT_THAT(cache_.List().status().ToString(), HasSubstr(unreadable));
  EXPECT_THAT(cache_.Prune(1 << 30).failed.ToString(), HasSubstr(unreadable));
  // The cache goes on where it can.
  EXPECT_TRUE(Has(Key('a')));
  EXPECT_NE(cache_.FindRelated(Key('c')), nullptr);
  const PlanCache::Removed removed = cache_.Prune(0);
  EXPECT_EQ(removed.plans, 1);
  EXPECT_TRUE(removed.failed.ok()) << removed.failed;
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(PlanCacheTest, LeftoversGoBeforeWriting) {
  Write(Key('a'));
  const std::string temporary = cache_.PathOf(Key('a')) + ".tmp-1-0";
  std::ofstream(temporary) << "x";
  Write(Key('a'));
  EXPECT_FALSE(fs::exists(temporary));
  EXPECT_TRUE(Has(Key('a')));
}

TEST_F(PlanCacheTest, OneWritesTheOthersWait) {
  auto first = cache_.Lock(Key('a'), [] {}, nullptr);
  ASSERT_TRUE(first.ok()) << first.status();
  std::atomic<int> waits = 0;
  std::atomic<bool> done = false;
  std::thread second([&] {
    const auto lock = cache_.Lock(Key('a'), [&] { ++waits; }, nullptr);
    done = lock.ok();
  });
  while (waits == 0) std::this_thread::yield();
  EXPECT_FALSE(done);
  EXPECT_TRUE(cache_.Lock(Key('b'), [] {}, nullptr).ok());
  first = absl::CancelledError("released");
  second.join();
  EXPECT_TRUE(done);
  EXPECT_EQ(waits, 1);
}

TEST_F(PlanCacheTest, WaitingEndsWhenCancelled) {
  const auto first = cache_.Lock(Key('a'), [] {}, nullptr);
  std::atomic<bool> cancel = false;
  const auto second = cache_.Lock(Key('a'), [&] { cancel = true; }, &cancel);
  EXPECT_TRUE(absl::IsCancelled(second.status())) << second.status();
}

TEST_F(PlanCacheTest, FoldersOfOthersAreNotUsed) {
  Write(Key('a'));
  fs::permissions(folder_, fs::perms::all);
  EXPECT_THAT(cache_.Find(Key('a')).status().ToString(), HasSubstr("chmod"));
  EXPECT_THAT(cache_.Lock(Key('a'), [] {}, nullptr).status().ToString(), HasSubstr("chmod"));
}

}  // namespace
}  // namespace weft::tools
