// LLVM IR and machine code of kernels.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "codegen/object_cache.h"
#include "codegen/program_builder.h"
#include "codegen/target.h"

namespace weft::codegen {

class KernelBuilder;

// Machine code that defines every kernel's symbol and needs none but libc's memory functions: an
// ELF relocatable object of one kernel, an ar archive of one object per kernel for several. They
// are compiled on as many threads as this process may use; the bytes do not depend on it. What
// `cache` has, which may be null, is not compiled again: it keeps the line that it had then.
absl::StatusOr<std::vector<uint8_t>> CompileToObject(absl::Span<const Kernel> kernels,
                                                     const Target& target,
                                                     ObjectCache* cache = nullptr);
// The kernels of a program as such an archive, with one more object of a function per step
// (step_thunks.h). Line tables map all of it to the IR text (debug_lines.h). Once `cancel` is set,
// which may be null, compiling soon ends with CancelledError.
absl::StatusOr<std::vector<uint8_t>> CompileToObject(const BuiltProgram& built,
                                                     const Target& target,
                                                     const std::atomic<bool>* cancel = nullptr,
                                                     ObjectCache* cache = nullptr);

// The same as text, for reading: LLVM IR after optimisation, and assembly.
absl::StatusOr<std::string> CompileToLlvm(absl::Span<const Kernel> kernels, const Target& target);
absl::StatusOr<std::string> CompileToAssembly(absl::Span<const Kernel> kernels,
                                              const Target& target);

// Emission by hand, for what is no step of a program: math tests, the readers of the memory
// roof, the arithmetic peak.
struct NamedEmission {
  std::string name;
  KernelSpec spec;
  std::function<void(KernelBuilder&)> emit;
  int line = 0;  // of the IR text, for line tables; 0: no line
};
absl::StatusOr<std::vector<uint8_t>> CompileToObject(absl::Span<const NamedEmission> kernels,
                                                     const Target& target,
                                                     ObjectCache* cache = nullptr);
absl::StatusOr<std::string> CompileToAssembly(absl::Span<const NamedEmission> kernels,
                                              const Target& target);

}  // namespace weft::codegen
