// The instruction sets that kernels are compiled for. A target is data: every tier that a machine
// can execute is tested on it.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "runtime/base/cpu.h"

namespace weft::codegen {

// Ordered: a later tier executes what an earlier one does.
enum class Tier { kAvx2, kAvx512Vnni };

struct Target {
  Tier tier = Tier::kAvx2;
  std::string name;      // as --target takes it: x86-64-v3 or avx512-vnni
  std::string cpu;       // LLVM's name
  std::string features;  // LLVM's list, "+avx512vnni"
  CpuFeatures required;
  int vector_bits = 256;
  // Multiply bytes by plain arithmetic where the tier has vpdpbusd: for tests of its kernels on
  // machines without it.
  bool software_vnni = false;
};

// "host": the best tier that `cpu` executes. Other names give that tier whether the machine has it
// or not; an unknown name is an error that lists the known ones.
absl::StatusOr<Target> ParseTarget(absl::string_view name, const CpuFeatures& cpu);

// An error that lists what `cpu` lacks and how to compile for less.
absl::Status CheckExecutable(const Target& target, const CpuFeatures& cpu);

// The kernels of avx512-vnni for any x86-64-v3 machine, slowly. For tests.
Target EmulatedAvx512Vnni();

// The names that ParseTarget knows, best tier last, without "host".
std::vector<std::string> KnownTargets();

}  // namespace weft::codegen
