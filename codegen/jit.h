// Machine code in this process, by ORC LLJIT.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "runtime/abi/program.h"

namespace llvm::orc {
class LLJIT;
}

namespace weft::codegen {

// Where a function of the code lies.
struct JitSymbol {
  std::string name;
  uint64_t address = 0;
  uint64_t bytes = 0;
};

// Owns the code: functions live as long as this object.
class Jit {
 public:
  // Links what CompileToObject gives. Errors name symbols that are missing.
  static absl::StatusOr<std::unique_ptr<Jit>> Load(absl::Span<const uint8_t> object);
  ~Jit();

  absl::StatusOr<KernelFn> Lookup(const std::string& name) const;
  // The functions that were looked up so far, and those that were linked with them. Profilers know
  // nothing of code that comes from no file.
  std::vector<JitSymbol> Symbols() const;
  // One function per step of the program.
  absl::StatusOr<std::vector<KernelFn>> KernelsOf(const Program& program) const;

 private:
  class SymbolList;  // told by the linker

  Jit(std::unique_ptr<llvm::orc::LLJIT> jit, std::shared_ptr<SymbolList> symbols);
  std::shared_ptr<SymbolList> symbols_;
  std::unique_ptr<llvm::orc::LLJIT> jit_;
};

}  // namespace weft::codegen
