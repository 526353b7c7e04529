// Line tables that map code to the IR text of its plan.
#pragma once

#include "llvm/IR/DIBuilder.h"
#include "llvm/IR/Module.h"

namespace weft::codegen {

// The file that line tables name: what `weft dump PLAN > plan.wir` writes, looked for where the
// debugger runs. No path of this machine gets into a plan.
inline constexpr char kIrFile[] = "plan.wir";

// For one module: line tables and no other debug information.
class DebugLines {
 public:
  explicit DebugLines(llvm::Module* module);
  // All code of `function` comes from `line`, from 1. Once, when its body is whole.
  void Set(llvm::Function* function, int line);
  void Finish() { builder_.finalize(); }

 private:
  llvm::DIBuilder builder_;
  llvm::DIFile* file_;
};

}  // namespace weft::codegen
