#include "codegen/step_thunks.h"

#include "codegen/debug_lines.h"
#include "codegen/kernel_builder.h"
#include "llvm/IR/IRBuilder.h"
#include "runtime/abi/step_symbol.h"

namespace weft::codegen {

void EmitStepThunks(const BuiltProgram& built, const Target& target, llvm::Module* module) {
  llvm::LLVMContext& context = module->getContext();
  DebugLines lines(module);
  for (size_t i = 0; i < built.program.steps.size(); ++i) {
    const Step& step = built.program.steps[i];
    llvm::Function* const thunk = DeclareKernel(module, target, StepSymbol(step, i));
    llvm::IRBuilder<> ir(llvm::BasicBlock::Create(context, "entry", thunk));
    llvm::CallInst* const call =
        ir.CreateCall(module->getOrInsertFunction(step.kernel, thunk->getFunctionType()),
                      {thunk->getArg(0), thunk->getArg(1), thunk->getArg(2), thunk->getArg(3)});
    call->setTailCallKind(llvm::CallInst::TCK_NoTail);
    ir.CreateRetVoid();
    lines.Set(thunk, built.step_lines[i]);
  }
  lines.Finish();
}

}  // namespace weft::codegen
