// A function for each step of a program: kernels are shared among steps, so that their own names
// cannot tell a profiler or a debugger which op of which layer runs.
#pragma once

#include "codegen/program_builder.h"
#include "codegen/target.h"
#include "llvm/IR/Module.h"

namespace weft::codegen {

// Defines StepSymbol (runtime/abi/step_symbol.h) for every step, with the signature of KernelFn: it
// calls the step's kernel, which it declares, and keeps its frame meanwhile, so that whoever walks
// the stack comes by it. Lines are those of the steps.
void EmitStepThunks(const BuiltProgram& built, const Target& target, llvm::Module* module);

}  // namespace weft::codegen
