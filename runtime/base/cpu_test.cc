#include "runtime/base/cpu.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

namespace weft {
namespace {

using testing::HasSubstr;
using testing::Optional;

TEST(Cpu, FeaturesAgreeWithTheKernel) {
  std::ifstream cpuinfo("/proc/cpuinfo");
  std::string flags;
  std::string model;
  for (std::string line; std::getline(cpuinfo, line);) {
    if (line.starts_with("flags")) flags = line.substr(line.find(':') + 1) + " ";
    if (line.starts_with("model name")) model = line.substr(line.find(':') + 2);
  }
  if (flags.empty()) GTEST_SKIP() << "/proc/cpuinfo has no flags";
  const CpuFeatures features = DetectCpuFeatures();
  const auto kernel_has = [&](const std::string& flag) {
    return flags.find(" " + flag + " ") != std::string::npos;
  };
  const std::pair<CpuFeature, const char*> kPairs[] = {
      {CpuFeature::kPopcnt, "popcnt"},
      {CpuFeature::kMovbe, "movbe"},
      {CpuFeature::kLzcnt, "abm"},
      {CpuFeature::kBmi, "bmi1"},
      {CpuFeature::kBmi2, "bmi2"},
      {CpuFeature::kAvx, "avx"},
      {CpuFeature::kAvx2, "avx2"},
      {CpuFeature::kFma, "fma"},
      {CpuFeature::kF16c, "f16c"},
      {CpuFeature::kAvx512f, "avx512f"},
      {CpuFeature::kAvx512cd, "avx512cd"},
      {CpuFeature::kAvx512bw, "avx512bw"},
      {CpuFeature::kAvx512dq, "avx512dq"},
      {CpuFeature::kAvx512vl, "avx512vl"},
      {CpuFeature::kAvx512vnni, "avx512_vnni"},
      {CpuFeature::kAvxVnni, "avx_vnni"},
      {CpuFeature::kAmxTile, "amx_tile"},
      {CpuFeature::kAmxInt8, "amx_int8"},
  };
  for (const auto& [feature, flag] : kPairs) {
    // The kernel's list may be shorter (an old kernel does not know a flag), never longer.
    EXPECT_TRUE(features.Has(feature) || !kernel_has(flag)) << flag;
  }
  EXPECT_TRUE(kernel_has("avx512f") || !features.Has(CpuFeature::kAvx512vnni));
  EXPECT_THAT(model, HasSubstr(CpuModelName()));
}

TEST(Cpu, FeatureSets) {
  const CpuFeatures v3 = CpuFeatures::X86_64_V3();
  EXPECT_EQ(v3.ToString(), "popcnt,movbe,lzcnt,bmi,bmi2,avx,avx2,fma,f16c");
  CpuFeatures vnni = v3;
  vnni.Add(CpuFeature::kAvx512vnni);
  EXPECT_TRUE(vnni.Includes(v3));
  EXPECT_FALSE(v3.Includes(vnni));
  EXPECT_EQ(vnni.Without(v3).ToString(), "avx512vnni");
  EXPECT_EQ(CpuFeatures(vnni.mask()), vnni);
}

TEST(Cpu, ListsOfFeatures) {
  EXPECT_EQ(ParseCpuFeatures("")->mask(), 0U);
  EXPECT_EQ(ParseCpuFeatures(" fma, amx-int8,,")->ToString(), "fma,amx-int8");
  EXPECT_EQ(*ParseCpuFeatures(CpuFeatures::X86_64_V3().ToString()), CpuFeatures::X86_64_V3());
  const absl::Status status = ParseCpuFeatures("fma,avx512_vnni").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("'avx512_vnni'; known: popcnt, movbe, lzcnt"));
}

TEST(Cpu, TheEnvironmentDisablesFeatures) {
  const CpuFeatures all = DetectCpuFeatures();
  setenv("WEFT_DISABLE_CPU", "avx512vnni,popcnt", 1);
  EXPECT_EQ(*UsableCpuFeatures(), all.Without(*ParseCpuFeatures("avx512vnni,popcnt")));
  setenv("WEFT_DISABLE_CPU", "sse9", 1);
  EXPECT_THAT(std::string(UsableCpuFeatures().status().message()),
              HasSubstr("WEFT_DISABLE_CPU: unknown CPU feature 'sse9'"));
  unsetenv("WEFT_DISABLE_CPU");
  EXPECT_EQ(*UsableCpuFeatures(), all);
}

int64_t KernelCacheBytes(int level) {
  for (int i = 0; i < 8; ++i) {
    const std::string folder = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(i) + "/";
    int found = 0;
    std::string type;
    int64_t kib = 0;
    if ((std::ifstream(folder + "level") >> found) && found == level &&
        (std::ifstream(folder + "type") >> type) && type != "Instruction" &&
        (std::ifstream(folder + "size") >> kib)) {
      return kib * 1024;
    }
  }
  return 0;
}

TEST(Cpu, CacheSizesAgreeWithTheKernel) {
  const CacheSizes sizes = DetectCacheSizes();
  for (const auto& [level, bytes] :
       {std::pair(1, sizes.l1_data), std::pair(2, sizes.l2), std::pair(3, sizes.l3)}) {
    const int64_t kernel = KernelCacheBytes(level);
    EXPECT_TRUE(kernel == 0 || bytes == kernel)
        << "level " << level << ": " << bytes << ", the kernel says " << kernel;
  }
}

class CgroupTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = testing::TempDir() + "weft_cgroup_" + std::to_string(getpid());
    std::filesystem::remove_all(root_);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void Write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }
  std::string root_;
};

TEST_F(CgroupTest, NoFilesNoLimit) {
  EXPECT_EQ(CgroupCpuQuota(root_), std::nullopt);
  EXPECT_GE(UsableCpus(root_), 1);
  EXPECT_LE(UsableCpus(root_), static_cast<int>(std::thread::hardware_concurrency()));
}

TEST_F(CgroupTest, V2TakesTheLowestLevel) {
  Write("/proc/self/cgroup", "0::/a/b\n");
  Write("/sys/fs/cgroup/a/cpu.max", "150000 100000\n");
  Write("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  EXPECT_THAT(CgroupCpuQuota(root_), Optional(1.5));
  Write("/sys/fs/cgroup/a/b/cpu.max", "50000 100000\n");
  EXPECT_THAT(CgroupCpuQuota(root_), Optional(0.5));
  EXPECT_EQ(UsableCpus(root_), 1) << "rounded up";
}

TEST_F(CgroupTest, V2InAContainerReadsTheMountItself) {
  Write("/proc/self/cgroup", "0::/../../host/path\n");
  Write("/sys/fs/cgroup/cpu.max", "250000 100000\n");
  EXPECT_THAT(CgroupCpuQuota(root_), Optional(2.5));
}

TEST_F(CgroupTest, V1) {
  Write("/proc/self/cgroup", "4:memory:/m\n3:cpu,cpuacct:/docker/x\n0::/\n");
  Write("/sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_quota_us", "-1\n");
  Write("/sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(CgroupCpuQuota(root_), std::nullopt);
  Write("/sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_quota_us", "300000\n");
  EXPECT_THAT(CgroupCpuQuota(root_), Optional(3.0));
  Write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "20000\n");
  Write("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "10000\n");
  EXPECT_THAT(CgroupCpuQuota(root_), Optional(2.0));
}

TEST_F(CgroupTest, NonsenseIsNoLimit) {
  Write("/proc/self/cgroup", "0::/\n0:\n::\nx\n");
  for (const char* text :
       {"", "0 0", "100000 0", "-5 100000", "abc def", "1 2 3", "99999999999999999999 1"}) {
    Write("/sys/fs/cgroup/cpu.max", text);
    EXPECT_EQ(CgroupCpuQuota(root_), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace weft
