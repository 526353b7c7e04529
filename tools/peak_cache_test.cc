#include "tools/peak_cache.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace weft::tools {
namespace {

class PeakCacheTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::remove_all(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  const std::string folder_ = testing::TempDir() + "weft-peak-cache" + std::to_string(getpid());
  const std::string path_ = folder_ + "/peaks.json";
};

void ExpectPeaks(const ArithmeticPeaks& peaks, double q8_0, double f32) {
  EXPECT_EQ(peaks.q8_0, q8_0);
  EXPECT_EQ(peaks.f32, f32);
}

TEST_F(PeakCacheTest, RemembersTheBestOfEachMachine) {
  ExpectPeaks(PeakCache(path_).Best("a", {.q8_0 = 180.5, .f32 = 91}), 180.5, 91);
  ExpectPeaks(PeakCache(path_).Best("b", {.q8_0 = 0, .f32 = 50}), 0, 50);
  ExpectPeaks(PeakCache(path_).Best("a", {.q8_0 = 49, .f32 = 92}), 180.5, 92);
  ExpectPeaks(PeakCache(path_).Best("a", {.q8_0 = 182, .f32 = 20}), 182, 92);
  ExpectPeaks(PeakCache(path_).Best("b", {.q8_0 = 1, .f32 = 49}), 1, 50);
}

TEST_F(PeakCacheTest, WhatIsDamagedIsForgotten) {
  for (const char* text : {"", "[]", "{\"a\": 3}", "{\"a\": {}}", "{\"a\": {\"f32\": \"x\"}}",
                           "{\"a\": {\"f32\": -1}}", "{\"a\": {\"f32\": 9"}) {
    std::filesystem::create_directories(folder_);
    std::ofstream(path_) << text;
    ASSERT_EQ(chmod(path_.c_str(), 0644), 0);
    ExpectPeaks(PeakCache(path_).Best("a", {.q8_0 = 1, .f32 = 2}), 1, 2);
    ExpectPeaks(PeakCache(path_).Best("a", {.q8_0 = 0, .f32 = 0}), 1, 2);
  }
}

TEST_F(PeakCacheTest, WhatOthersMayHaveWrittenIsForgotten) {
  const auto plant = [&](mode_t of_folder, mode_t of_file) {
    std::filesystem::create_directories(folder_);
    std::ofstream(path_) << R"({"a": {"q8_0": 9, "f32": 9}})";
    ASSERT_EQ(chmod(path_.c_str(), of_file), 0);
    ASSERT_EQ(chmod(folder_.c_str(), of_folder), 0);
  };
  plant(0700, 0644);
  ExpectPeaks(PeakCache(path_).Best("a", {.q8_0 = 1, .f32 = 2}), 9, 9);
  plant(0777, 0644);
  ExpectPeaks(PeakCache(path_).Best("a", {.q8_0 = 1, .f32 = 2}), 1, 2);
  plant(0700, 0666);
  ExpectPeaks(PeakCache(path_).Best("a", {.q8_0 = 1, .f32 = 2}), 1, 2);
}

TEST_F(PeakCacheTest, APipeIsNotWaitedOn) {
  std::filesystem::create_directories(folder_);
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  alarm(20);
  ExpectPeaks(PeakCache(path_).Best("a", {.q8_0 = 1, .f32 = 2}), 1, 2);
  alarm(0);
}

TEST_F(PeakCacheTest, NoFolderIsNoError) {
  for (const char* path : {"", "/proc/none/peaks.json"}) {
    ExpectPeaks(PeakCache(path).Best("a", {.q8_0 = 1, .f32 = 2}), 1, 2);
    ExpectPeaks(PeakCache(path).Best("a", {.q8_0 = 0, .f32 = 0}), 0, 0);
  }
}

TEST_F(PeakCacheTest, KeysTellTargetsAndThreadsApart) {
  EXPECT_NE(PeakCache::MachineKey("x86-64-v3", 2), PeakCache::MachineKey("x86-64-v3", 4));
  EXPECT_NE(PeakCache::MachineKey("x86-64-v3", 2), PeakCache::MachineKey("avx512-vnni", 2));
}

}  // namespace
}  // namespace weft::tools
