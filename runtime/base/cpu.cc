#include "runtime/base/cpu.h"

#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_split.h>
#include <absl/strings/string_view.h>
#include <cpuid.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "runtime/abi/check.h"
#include "runtime/base/cgroup.h"

namespace weft {
namespace {

constexpr absl::string_view kFeatureNames[] = {
#define WEFT_NAME(id, name) name,
    WEFT_CPU_FEATURES(WEFT_NAME)
#undef WEFT_NAME
};

struct CpuidResult {
  uint32_t eax = 0;
  uint32_t ebx = 0;
  uint32_t ecx = 0;
  uint32_t edx = 0;
};

// All zeros where the CPU does not have the leaf.
CpuidResult Cpuid(uint32_t leaf, uint32_t subleaf = 0) {
  CpuidResult r;
  __get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx);
  return r;
}

// XCR0: which register state the operating system saves. Only where CPUID says OSXSAVE.
uint64_t ReadXcr0() {
  uint32_t low = 0;
  uint32_t high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<uint64_t>(high) << 32) | low;
}

bool Bit(uint32_t word, int bit) { return ((word >> bit) & 1) != 0; }

std::optional<double> QuotaOf(int64_t quota, int64_t period) {
  if (quota <= 0 || period <= 0) return std::nullopt;
  return static_cast<double>(quota) / static_cast<double>(period);
}

// cgroup v2: cpu.max is "max 100000" or "150000 100000".
std::optional<double> QuotaV2(const std::string& folder) {
  const std::optional<std::string> text = ReadKernelFile(absl::StrCat(folder, "/cpu.max"));
  if (!text.has_value()) return std::nullopt;
  const std::vector<std::string> fields =
      absl::StrSplit(*text, absl::ByAnyChar(" \n"), absl::SkipEmpty());
  int64_t quota = 0;
  int64_t period = 0;
  if (fields.size() != 2 || !absl::SimpleAtoi(fields[0], &quota) ||
      !absl::SimpleAtoi(fields[1], &period)) {
    return std::nullopt;
  }
  return QuotaOf(quota, period);
}

// cgroup v1: two files; a quota of -1 means none.
std::optional<double> QuotaV1(const std::string& folder) {
  const std::optional<int64_t> quota = ReadKernelNumber(absl::StrCat(folder, "/cpu.cfs_quota_us"));
  const std::optional<int64_t> period =
      ReadKernelNumber(absl::StrCat(folder, "/cpu.cfs_period_us"));
  return QuotaOf(quota.value_or(0), period.value_or(0));
}

int AffinityCpus() {
  // The kernel refuses a mask smaller than its own with EINVAL: double it until it fits.
  for (int cpus = 1024; cpus <= (1 << 20); cpus *= 2) {
    cpu_set_t* set = CPU_ALLOC(cpus);
    if (set == nullptr) return 1;
    const size_t bytes = CPU_ALLOC_SIZE(cpus);
    CPU_ZERO_S(bytes, set);
    const int result = sched_getaffinity(0, bytes, set);
    const int error = errno;
    const int count = result == 0 ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (result == 0) return std::max(count, 1);
    if (error != EINVAL) return 1;
  }
  return 1;
}

}  // namespace

absl::string_view Name(CpuFeature feature) {
  const auto index = static_cast<size_t>(feature);
  WEFT_CHECK(index < std::size(kFeatureNames));
  return kFeatureNames[index];
}

std::string CpuFeatures::ToString() const {
  std::vector<absl::string_view> names;
  for (size_t i = 0; i < std::size(kFeatureNames); ++i) {
    if (Has(static_cast<CpuFeature>(i))) names.push_back(kFeatureNames[i]);
  }
  return absl::StrJoin(names, ",");
}

absl::StatusOr<CpuFeatures> ParseCpuFeatures(absl::string_view list) {
  CpuFeatures features;
  for (absl::string_view name : absl::StrSplit(list, ',')) {
    name = absl::StripAsciiWhitespace(name);
    if (name.empty()) continue;
    const auto* const found = std::find(std::begin(kFeatureNames), std::end(kFeatureNames), name);
    if (found == std::end(kFeatureNames)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "unknown CPU feature '", name, "'; known: ", absl::StrJoin(kFeatureNames, ", ")));
    }
    features.Add(static_cast<CpuFeature>(found - std::begin(kFeatureNames)));
  }
  return features;
}

CpuFeatures CpuFeatures::X86_64_V3() {
  CpuFeatures features;
  for (const CpuFeature feature : {CpuFeature::kPopcnt, CpuFeature::kMovbe, CpuFeature::kLzcnt,
                                   CpuFeature::kBmi, CpuFeature::kBmi2, CpuFeature::kAvx,
                                   CpuFeature::kAvx2, CpuFeature::kFma, CpuFeature::kF16c}) {
    features.Add(feature);
  }
  return features;
}

// The kernel makes room for tile registers in this process's threads only where it is asked to.
static bool RequestTiles() {
  constexpr int kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr int kTileData = 18;               // XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

// Bits: Intel SDM volume 2A, CPUID; XCR0: volume 1, 13.1.
CpuFeatures DetectCpuFeatures() {
  const CpuidResult leaf1 = Cpuid(1);
  const CpuidResult leaf7 = Cpuid(7);
  const CpuidResult leaf7_1 = leaf7.eax >= 1 ? Cpuid(7, 1) : CpuidResult{};
  const CpuidResult extended = Cpuid(0x80000001u);
  const uint64_t xcr0 = Bit(leaf1.ecx, 27) ? ReadXcr0() : 0;
  const auto os_saves = [&](uint64_t mask) { return (xcr0 & mask) == mask; };
  const bool ymm = os_saves(0x6);   // SSE, AVX
  const bool zmm = os_saves(0xe6);  // and opmask, upper halves of zmm0-15, zmm16-31
  // TILECFG, TILEDATA. What was granted stays so: asking again does no harm.
  const bool tiles = os_saves(0x3ull << 17) && Bit(leaf7.edx, 24) && RequestTiles();

  CpuFeatures features;
  const auto add = [&](CpuFeature feature, bool present) {
    if (present) features.Add(feature);
  };
  add(CpuFeature::kPopcnt, Bit(leaf1.ecx, 23));
  add(CpuFeature::kMovbe, Bit(leaf1.ecx, 22));
  add(CpuFeature::kLzcnt, Bit(extended.ecx, 5));
  add(CpuFeature::kBmi, Bit(leaf7.ebx, 3));
  add(CpuFeature::kBmi2, Bit(leaf7.ebx, 8));
  add(CpuFeature::kAvx, ymm && Bit(leaf1.ecx, 28));
  add(CpuFeature::kAvx2, ymm && Bit(leaf7.ebx, 5));
  add(CpuFeature::kFma, ymm && Bit(leaf1.ecx, 12));
  add(CpuFeature::kF16c, ymm && Bit(leaf1.ecx, 29));
  add(CpuFeature::kAvx512f, zmm && Bit(leaf7.ebx, 16));
  add(CpuFeature::kAvx512cd, zmm && Bit(leaf7.ebx, 28));
  add(CpuFeature::kAvx512bw, zmm && Bit(leaf7.ebx, 30));
  add(CpuFeature::kAvx512dq, zmm && Bit(leaf7.ebx, 17));
  add(CpuFeature::kAvx512vl, zmm && Bit(leaf7.ebx, 31));
  add(CpuFeature::kAvx512vnni, zmm && Bit(leaf7.ecx, 11));
  add(CpuFeature::kAvxVnni, ymm && Bit(leaf7_1.eax, 4));
  add(CpuFeature::kAmxTile, tiles && Bit(leaf7.edx, 24));
  add(CpuFeature::kAmxInt8, tiles && Bit(leaf7.edx, 25));
  return features;
}

absl::StatusOr<CpuFeatures> UsableCpuFeatures() {
  constexpr char kVariable[] = "WEFT_DISABLE_CPU";
  const char* const list = std::getenv(kVariable);
  if (list == nullptr) return DetectCpuFeatures();
  absl::StatusOr<CpuFeatures> disabled = ParseCpuFeatures(list);
  if (!disabled.ok()) {
    return absl::Status(disabled.status().code(), absl::StrCat("environment variable ", kVariable,
                                                               ": ", disabled.status().message()));
  }
  return DetectCpuFeatures().Without(*disabled);
}

std::string CpuModelName() {
  std::array<char, 3 * sizeof(CpuidResult)> brand = {};
  for (uint32_t i = 0; i < 3; ++i) {
    const CpuidResult part = Cpuid(0x80000002u + i);
    std::memcpy(brand.data() + i * sizeof(part), &part, sizeof(part));
  }
  const absl::string_view text(brand.data(), strnlen(brand.data(), brand.size()));
  std::string name;
  for (const char c : absl::StripAsciiWhitespace(text)) {
    if (absl::ascii_isprint(static_cast<unsigned char>(c))) name.push_back(c);
  }
  return name.empty() ? "unknown CPU" : name;
}

// Intel describes its caches in leaf 4, AMD in 0x8000001d, in the same form: one subleaf a cache,
// type 0 ends the list.
CacheSizes DetectCacheSizes() {
  const bool amd = Bit(Cpuid(0x80000001u).ecx, 22);  // TOPOEXT
  const uint32_t leaf = amd ? 0x8000001du : 4u;
  CacheSizes sizes;
  constexpr uint32_t kMaxCaches = 16;
  for (uint32_t i = 0; i < kMaxCaches; ++i) {
    const CpuidResult cache = Cpuid(leaf, i);
    const uint32_t type = cache.eax & 0x1fu;
    if (type == 0) break;
    if (type == 2) continue;  // instructions
    const int64_t ways = (cache.ebx >> 22) + 1;
    const int64_t partitions = ((cache.ebx >> 12) & 0x3ffu) + 1;
    const int64_t line_bytes = (cache.ebx & 0xfffu) + 1;
    const int64_t sets = static_cast<int64_t>(cache.ecx) + 1;
    const int64_t bytes = ways * partitions * line_bytes * sets;
    const uint32_t level = (cache.eax >> 5) & 0x7u;
    if (level == 1) sizes.l1_data = bytes;
    if (level == 2) sizes.l2 = bytes;
    if (level == 3) sizes.l3 = bytes;
  }
  return sizes;
}

std::optional<double> CgroupCpuQuota(const std::string& system_root) {
  std::optional<double> limit;
  for (const CgroupLevel& level : CgroupLevels("cpu", system_root)) {
    const std::optional<double> quota = level.v2 ? QuotaV2(level.folder) : QuotaV1(level.folder);
    if (quota.has_value() && (!limit.has_value() || *quota < *limit)) limit = quota;
  }
  return limit;
}

int UsableCpus(const std::string& system_root) {
  const int affinity = AffinityCpus();
  const std::optional<double> quota = CgroupCpuQuota(system_root);
  if (!quota.has_value() || *quota >= affinity) return affinity;
  return std::max(1, static_cast<int>(std::ceil(*quota)));
}

}  // namespace weft
