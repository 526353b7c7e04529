// From a planned module to the runtime's program, and the list of kernels it needs.
#pragma once

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "codegen/kernel_spec.h"
#include "codegen/registry.h"
#include "codegen/target.h"
#include "ir/module.h"
#include "runtime/abi/program.h"

namespace weft::codegen {

struct Kernel {
  std::string name;  // symbol
  KernelSpec spec;
  Choice choice;
  // Of the first step that uses it in ir::Print of the module, from 1; 0: none.
  int line = 0;
};

struct ProgramLimits {
  int64_t max_tokens = 0;
  int64_t max_logit_rows = 0;
  int64_t context = 0;
};

struct BuiltProgram {
  Program program;
  std::vector<int> step_lines;  // by step: its line in ir::Print of the module
  std::vector<Kernel> kernels;  // each once, in order of first use
};

// `module` is legal as plan-memory leaves it (docs/architecture.md), for the same limits. The
// program is the same for every target; what differs is who emits its kernels.
absl::StatusOr<BuiltProgram> BuildProgram(const ir::Module& module, const Target& target,
                                          const ProgramLimits& limits);

// A line per step: kernel, units, what it reads and writes (with /stride where by rows), after what
// `note` says of it; then the kernels, where they are at hand, with their emitters and refusals.
std::string PrintProgram(const Program& program, absl::Span<const Kernel> kernels,
                         absl::FunctionRef<std::string(size_t)> note);

}  // namespace weft::codegen
