// The instruction sets that kernels are compiled for. A target is data: every tier that a machine
// can execute is tested on it.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/base/cpu.h"

namespace weft::codegen {

// What int8 is multiplied with. Best last; a CPU may have a later one without an earlier one.
//   kAvx2        vpmaddubsw, vpmaddwd
//   kAvxVnni     vpdpbusd on 256 bits: hybrid CPUs from Alder Lake on
//   kAvx512Vnni  vpdpbusd on 512 bits: Ice Lake servers, Zen 4
//   kAmxInt8     the same for few tokens, tdpbssd for many: Sapphire Rapids
enum class Tier { kAvx2, kAvxVnni, kAvx512Vnni, kAmxInt8 };

struct Target {
  Tier tier = Tier::kAvx2;
  std::string name;      // as --target takes it: x86-64-v3, avx512-vnni
  std::string cpu;       // LLVM's name
  std::string features;  // LLVM's list, "+avx512vnni"
  CpuFeatures required;
  int vector_bits = 256;
  // Multiply bytes by plain arithmetic where the tier has vpdpbusd or tdpbssd: for tests of its
  // kernels on machines without it.
  bool emulated = false;

  // 32 registers of 512 bits; else 16 of 256.
  bool wide() const { return tier >= Tier::kAvx512Vnni; }
};

// "host": the best tier that `cpu` executes. Other names give that tier whether the machine has it
// or not; an unknown name is an error that lists the known ones.
absl::StatusOr<Target> ParseTarget(absl::string_view name, const CpuFeatures& cpu);

// Of a list with commas: each once, in its order.
absl::StatusOr<std::vector<Target>> ParseTargets(absl::string_view names, const CpuFeatures& cpu);

// An error that lists what `cpu` lacks and how to compile for less.
absl::Status CheckExecutable(const Target& target, const CpuFeatures& cpu);

// The kernels of the tiers beyond x86-64-v3 for any machine that has that, slowly. For tests.
std::vector<Target> EmulatedTargets();

// The names that ParseTarget knows, best tier last, without "host".
std::vector<std::string> KnownTargets();

}  // namespace weft::codegen
