#include "tools/peak_cache.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace weft::tools {
namespace {

class PeakCacheTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::remove_all(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  const std::string folder_ = testing::TempDir() + "weft-peak-cache";
  const std::string path_ = folder_ + "/peaks.json";
};

TEST_F(PeakCacheTest, RemembersMachinesApart) {
  PeakCache cache(path_);
  EXPECT_FALSE(cache.Find("a").has_value());
  cache.Add("a", {.q8_0 = 180.5, .f32 = 91});
  cache.Add("b", {.q8_0 = 0, .f32 = 50});
  cache.Add("a", {.q8_0 = 182, .f32 = 92});
  const auto a = PeakCache(path_).Find("a");
  ASSERT_TRUE(a.has_value());
  EXPECT_EQ(a->q8_0, 182);
  EXPECT_EQ(a->f32, 92);
  EXPECT_EQ(cache.Find("b")->f32, 50);
  EXPECT_FALSE(cache.Find("c").has_value());
}

TEST_F(PeakCacheTest, WhatIsDamagedIsForgotten) {
  for (const char* text : {"", "[]", "{\"a\": 3}", "{\"a\": {}}", "{\"a\": {\"f32\": \"x\"}}",
                           "{\"a\": {\"f32\": -1}}", "{\"a\": {\"f32\": 9"}) {
    std::filesystem::create_directories(folder_);
    std::ofstream(path_) << text;
    PeakCache cache(path_);
    EXPECT_FALSE(cache.Find("a").has_value()) << text;
    cache.Add("a", {.q8_0 = 1, .f32 = 2});
    EXPECT_TRUE(cache.Find("a").has_value()) << text;
  }
}

TEST_F(PeakCacheTest, NoFolderIsNoError) {
  PeakCache nowhere("");
  nowhere.Add("a", {.q8_0 = 1, .f32 = 2});
  EXPECT_FALSE(nowhere.Find("a").has_value());
  PeakCache refused("/proc/none/peaks.json");
  refused.Add("a", {.q8_0 = 1, .f32 = 2});
  EXPECT_FALSE(refused.Find("a").has_value());
}

TEST_F(PeakCacheTest, KeysTellTargetsAndThreadsApart) {
  EXPECT_NE(PeakCache::MachineKey("x86-64-v3", 2), PeakCache::MachineKey("x86-64-v3", 4));
  EXPECT_NE(PeakCache::MachineKey("x86-64-v3", 2), PeakCache::MachineKey("avx512-vnni", 2));
}

}  // namespace
}  // namespace weft::tools
