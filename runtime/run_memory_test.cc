#include "runtime/run_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "runtime/base/smaps_testing.h"
#include "runtime/test_kernels.h"

namespace weft {
namespace {

using testing::HasSubstr;

constexpr uint64_t kMebi = uint64_t{1} << 20;
constexpr int64_t kTokens = 1024;
constexpr int64_t kContext = 4096;
constexpr uint64_t kRow = 16384;       // bytes of a token in the arena
constexpr uint64_t kPosition = 16384;  // bytes of a position in the cache

KernelFn Nothing() {
  return [](const KernelContext*, void* const*, int64_t, int64_t) {};
}

// 16 MiB of activations that a step works on by rows, 16 MiB that matmuls alone know, 1 MiB that
// has no rows, and 64 MiB of cache.
TestModel Large() {
  TestModel model(kTokens, 4, kContext);
  OperandRef rows = model.Arena(kTokens * kRow);
  const OperandRef same = rows;
  rows.stride = kRow;
  const OperandRef matmuls = model.Arena(kTokens * kRow);
  const OperandRef workspace = model.Arena(kMebi);
  model.Add("rows", Nothing(), Extent::kTokens, 1, 1, {TestModel::Writes(rows), workspace});
  model.Add("matmul", Nothing(), Extent::kOne, 1, 1, {same, TestModel::Writes(matmuls)});
  model.Add("cache", Nothing(), Extent::kTokens, 1, 1,
            {TestModel::Writes(model.Kv(kContext * kPosition))});
  return model;
}

TEST(ArenaUse, CountsRowsAndPages) {
  const ArenaUse use(Large().program);
  const uint64_t workspace = kMebi;
  EXPECT_NEAR(use.Bytes(1, 1, 4096), workspace + 2 * kRow, 8 * 4096);
  EXPECT_NEAR(use.Bytes(100, 1, 4096), workspace + 200 * kRow, 8 * 4096);
  EXPECT_EQ(use.Bytes(kTokens, 4, 4096), Large().program.arena_bytes);
  EXPECT_NEAR(use.Bytes(1, 1, 2 * kMebi), 6 * kMebi, 2 * kMebi);
}

TEST(ArenaUse, FollowsTheRowsOfLogits) {
  TestModel model(4, 4, 64);
  model.program.vocab = 1 << 20;
  model.program.logits_stride = 4 * kMebi;
  model.program.logits = model.Arena(16 * kMebi);
  const ArenaUse use(model.program);
  EXPECT_NEAR(use.Bytes(4, 1, 4096), 4 * kMebi, 8192);
  EXPECT_NEAR(use.Bytes(4, 3, 4096), 12 * kMebi, 8192);
}

class RunMemoryTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = testing::TempDir() + "weft_run_memory_" + std::to_string(getpid());
    std::filesystem::create_directories(root_ + "/proc");
    Available(1024 * kMebi);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void Available(uint64_t bytes) {
    std::ofstream(root_ + "/proc/meminfo")
        << "MemTotal: 4194304 kB\nMemAvailable: " << bytes / 1024 << " kB\n";
  }
  void Map() {
    auto memory = RunMemory::Map(model_.program, root_);
    ASSERT_TRUE(memory.ok()) << memory.status();
    memory_.emplace(*std::move(memory));
  }
  absl::Status Run(int64_t tokens, int64_t position) {
    return memory_->FindRoom({tokens, 1, position});
  }
  // What a run of the model would.
  void TouchCache(int64_t positions) {
    std::memset(memory_->kv(), 1, static_cast<size_t>(positions) * kPosition);
  }
  static std::string Message(const absl::Status& status) { return std::string(status.message()); }

  TestModel model_ = Large();
  std::string root_;
  std::optional<RunMemory> memory_;
};

TEST_F(RunMemoryTest, TheFirstRunIsAskedForHoweverLittleItTakes) {
  Map();
  Available(5 * kMebi);
  EXPECT_THAT(Message(Run(1, 0)),
              HasSubstr("no memory for activations and a KV cache of 1 tokens"));
  EXPECT_THAT(Message(Run(1, 0)), HasSubstr("-b, a smaller context, -c, or --kv q8_0"));
  Available(7 * kMebi);
  EXPECT_TRUE(Run(1, 0).ok());
}

TEST_F(RunMemoryTest, WhatARunTakesIsEnough) {
  for (const int64_t tokens : {int64_t{10}, int64_t{300}, kTokens}) {
    const uint64_t takes = kMebi + static_cast<uint64_t>(tokens) * (2 * kRow + kPosition);
    Map();
    Available(takes + 3 * kMebi);
    EXPECT_EQ(Run(tokens, 0).code(), absl::StatusCode::kResourceExhausted) << tokens;
    Available(takes + 6 * kMebi);
    EXPECT_TRUE(Run(tokens, 0).ok()) << tokens;
  }
}

TEST_F(RunMemoryTest, AsksAgainAsTheCacheGrows) {
  Map();
  Available(60 * kMebi);
  ASSERT_TRUE(Run(1, 0).ok());
  Available(30 * kMebi);
  EXPECT_TRUE(Run(1, 1000).ok());
  Available(0);
  EXPECT_TRUE(Run(1, 1001).ok()) << "half of what was left";
  EXPECT_THAT(Message(Run(1, 3000)), HasSubstr("a KV cache that grow to 3001 tokens"));
  EXPECT_TRUE(Run(1, 500).ok()) << "what was there stays";
}

// Its own pages are not available any more, and not needed either.
TEST_F(RunMemoryTest, WhatIsInMemoryIsNotAskedForAgain) {
  Map();
  ASSERT_TRUE(Run(1000, 0).ok());
  std::memset(memory_->arena(), 1, model_.program.arena_bytes);
  TouchCache(kContext);
  Available(5 * kMebi);
  EXPECT_TRUE(Run(1000, 3000).ok());
}

bool HugePagesFollowAdvice() {
  std::string enabled;
  std::getline(std::ifstream("/sys/kernel/mm/transparent_hugepage/enabled"), enabled);
  return enabled.find("[madvise]") != std::string::npos;
}

TEST_F(RunMemoryTest, LargePagesWhereAllOfThemFit) {
  if (!HugePagesFollowAdvice()) GTEST_SKIP() << "huge pages do not depend on advice here";
  struct Case {
    uint64_t available;  // MiB
    bool arena, cache;
  };
  // 33 MiB of arena, 64 MiB of cache, of which the run takes 25 and 8.
  for (const Case& c : {Case{60, false, false}, Case{96, false, false}, Case{110, true, false},
                        Case{1024, true, true}}) {
    Map();
    Available(c.available * kMebi);
    ASSERT_TRUE(Run(kTokens / 2, 0).ok()) << c.available;
    memory_->arena()[0] = 1;
    TouchCache(kTokens / 2);
    // As if the system had given what was touched, but little more.
    if (c.available < 1024) Available((c.available - 60) * kMebi);
    ASSERT_TRUE(Run(1, kTokens / 2 + 1).ok()) << c.available;
    EXPECT_EQ(SmapsKilobytes(memory_->arena(), "AnonHugePages") > 0, c.arena) << c.available;
    EXPECT_EQ(SmapsKilobytes(memory_->kv(), "AnonHugePages") > 0, c.cache) << c.available;
  }
}

// Of a small model with a large cache each page of 2 MiB has a head that is touched early: eight
// tokens took gigabytes.
TEST_F(RunMemoryTest, LargePagesOfACacheBeyondTheWeightsWaitUntilMoreIsTouched) {
  if (!HugePagesFollowAdvice()) GTEST_SKIP() << "huge pages do not depend on advice here";
  model_ = TestModel(kTokens, 4, kContext);
  constexpr uint64_t kCache = 256 * kMebi;
  model_.Add("cache", Nothing(), Extent::kTokens, 1, 1, {TestModel::Writes(model_.Kv(kCache))});
  for (const bool small : {true, false}) {
    model_.program.weight_bytes = small ? kMebi : kCache;
    Map();
    ASSERT_TRUE(Run(1, 200).ok()) << "before anything is touched";
    for (uint64_t at = 0; at < kCache; at += 2 * kMebi) memory_->kv()[at] = 1;
    EXPECT_EQ(SmapsKilobytes(memory_->kv(), "AnonHugePages") == 0, small);
    Map();
    ASSERT_TRUE(Run(1, 0).ok());
    for (uint64_t at = 0; at < kCache; at += 2 * kMebi) memory_->kv()[at] = 1;
    ASSERT_TRUE(Run(1, 300).ok());
    EXPECT_EQ(SmapsKilobytes(memory_->kv(), "AnonHugePages") == 0, small);
    ASSERT_TRUE(Run(1, 550).ok()) << "asked again when twice as much is touched";
    EXPECT_EQ(SmapsKilobytes(memory_->kv(), "AnonHugePages") == 0, small);
    ASSERT_TRUE(Run(1, 602).ok());
    EXPECT_GT(SmapsKilobytes(memory_->kv(), "AnonHugePages"), 0);
  }
}

TEST_F(RunMemoryTest, AShortPromptTouchesNoLargePagesOfTheCache) {
  if (!HugePagesFollowAdvice()) GTEST_SKIP() << "huge pages do not depend on advice here";
  Map();
  ASSERT_TRUE(Run(4, 0).ok());
  for (uint64_t at = 0; at < 64 * kMebi; at += 2 * kMebi) memory_->kv()[at] = 1;
  EXPECT_LT(SmapsKilobytes(memory_->kv(), "Rss"), 1024);
}

TEST_F(RunMemoryTest, MoreThanThereEverIs) {
  std::ofstream(root_ + "/proc/meminfo") << "MemTotal: 65536 kB\nMemAvailable: 65536 kB\n";
  EXPECT_THAT(Message(RunMemory::Map(model_.program, root_).status()),
              HasSubstr("no memory for activations and the KV cache of a context of 4096 tokens"));
}

}  // namespace
}  // namespace weft
