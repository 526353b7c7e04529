// What the CPU at hand can execute, and how much of it this process may use.
#pragma once

#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

#include <cstdint>
#include <optional>
#include <string>

namespace weft {

// Features that the code generator asks about, with LLVM's names. A bit of the mask is the position
// in this list, and plan files record the mask: append only.
#define WEFT_CPU_FEATURES(X)   \
  X(kPopcnt, "popcnt")         \
  X(kMovbe, "movbe")           \
  X(kLzcnt, "lzcnt")           \
  X(kBmi, "bmi")               \
  X(kBmi2, "bmi2")             \
  X(kAvx, "avx")               \
  X(kAvx2, "avx2")             \
  X(kFma, "fma")               \
  X(kF16c, "f16c")             \
  X(kAvx512f, "avx512f")       \
  X(kAvx512cd, "avx512cd")     \
  X(kAvx512bw, "avx512bw")     \
  X(kAvx512dq, "avx512dq")     \
  X(kAvx512vl, "avx512vl")     \
  X(kAvx512vnni, "avx512vnni") \
  X(kAvxVnni, "avxvnni")       \
  X(kAmxTile, "amx-tile")      \
  X(kAmxInt8, "amx-int8")

enum class CpuFeature : uint8_t {
#define WEFT_ENUM(id, name) id,
  WEFT_CPU_FEATURES(WEFT_ENUM)
#undef WEFT_ENUM
};

class CpuFeatures {
 public:
  CpuFeatures() = default;
  explicit CpuFeatures(uint64_t mask) : mask_(mask) {}

  bool Has(CpuFeature feature) const { return ((mask_ >> static_cast<int>(feature)) & 1) != 0; }
  void Add(CpuFeature feature) { mask_ |= uint64_t{1} << static_cast<int>(feature); }
  // True where everything `other` has is here too.
  bool Includes(CpuFeatures other) const { return (other.mask_ & ~mask_) == 0; }
  // What is here and not in `other`: for "this plan needs avx512vnni, this CPU lacks it".
  CpuFeatures Without(CpuFeatures other) const { return CpuFeatures(mask_ & ~other.mask_); }
  uint64_t mask() const { return mask_; }
  // LLVM names, comma-separated, in the list's order.
  std::string ToString() const;

  // The features of x86-64-v3 that are in the list (https://gitlab.com/x86-psABIs/x86-64-ABI).
  static CpuFeatures X86_64_V3();

  friend bool operator==(CpuFeatures a, CpuFeatures b) { return a.mask_ == b.mask_; }

 private:
  uint64_t mask_ = 0;
};

absl::string_view Name(CpuFeature feature);

// Of a comma-separated list of LLVM's names; blanks and empty items mean nothing. InvalidArgument
// names what is no feature, and lists the known.
absl::StatusOr<CpuFeatures> ParseCpuFeatures(absl::string_view list);

// What CPUID reports and the operating system saves (XCR0), so what can be executed. For AMX this
// asks the kernel for leave to use it in this process (arch_prctl ARCH_REQ_XCOMP_PERM,
// https://docs.kernel.org/arch/x86/xstate.html), and reports it only where that is granted.
CpuFeatures DetectCpuFeatures();

// What code may use: the detected features without those that the environment variable
// WEFT_DISABLE_CPU lists, as if the CPU lacked them. An error for a list with an unknown name.
absl::StatusOr<CpuFeatures> UsableCpuFeatures();

// "AMD EPYC 9B14"; "unknown CPU" where CPUID does not say.
std::string CpuModelName();

// Data or unified cache sizes in bytes as CPUID reports them for one cache of that level; 0 where
// it does not say.
struct CacheSizes {
  int64_t l1_data = 0;
  int64_t l2 = 0;
  int64_t l3 = 0;
};
CacheSizes DetectCacheSizes();

// CPUs this process may keep busy: those of its affinity mask, limited by the CPU quotas of its
// cgroups (v1 and v2, every level up to the root) rounded up; at least 1. `system_root` stands
// before /proc and /sys in the paths read (for tests).
int UsableCpus(const std::string& system_root = "");

// The smallest CPU quota over this process's cgroups, in CPUs (quota / period); nothing where there
// is no limit.
std::optional<double> CgroupCpuQuota(const std::string& system_root = "");

}  // namespace weft
