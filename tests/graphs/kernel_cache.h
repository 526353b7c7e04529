// Kernels compiled once for all graphs that need them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "codegen/jit.h"
#include "codegen/program_builder.h"
#include "codegen/target.h"

namespace weft::graphs {

// By target and spec, which is all that a kernel depends on (kernel_spec.h). They are compiled as
// those of a plan are, optimised likewise.
class KernelCache {
 public:
  // A kernel for each step of the program; valid as long as the cache.
  absl::StatusOr<std::vector<KernelFn>> KernelsOf(const codegen::BuiltProgram& built,
                                                  const codegen::Target& target);
  // Kernels compiled, and asked for.
  int64_t compiled() const { return compiled_; }
  int64_t used() const { return used_; }

 private:
  absl::Status Compile(const std::vector<codegen::Kernel>& kernels, const codegen::Target& target);

  std::vector<std::unique_ptr<codegen::Jit>> jits_;
  std::map<std::string, KernelFn> functions_;
  int64_t compiled_ = 0;
  int64_t used_ = 0;
};

}  // namespace weft::graphs
