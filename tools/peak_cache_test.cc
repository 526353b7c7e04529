#include "tools/peak_cache.h"

#include <gtest/gtest.h>
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
    ExpectPeaks(PeakCache(path_).Best("a", {.q8_0 = 1, .f32 = 2}), 1, 2);
    ExpectPeaks(PeakCache(path_).Best("a", {.q8_0 = 0, .f32 = 0}), 1, 2);
  }
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
