#include "codegen/debug_lines.h"

#include "llvm/BinaryFormat/Dwarf.h"

namespace weft::codegen {

DebugLines::DebugLines(llvm::Module* module)
    : builder_(*module), file_(builder_.createFile(kIrFile, ".")) {
  // Version 4: units as small as these take more bytes in version 5.
  module->addModuleFlag(llvm::Module::Warning, "Dwarf Version", 4);
  module->addModuleFlag(llvm::Module::Warning, "Debug Info Version", llvm::DEBUG_METADATA_VERSION);
  builder_.createCompileUnit(llvm::dwarf::DW_LANG_C99, file_, "weft", /*isOptimized=*/true,
                             /*Flags=*/"", /*RV=*/0, /*SplitName=*/"",
                             llvm::DICompileUnit::LineTablesOnly, /*DWOId=*/0,
                             /*SplitDebugInlining=*/false, /*DebugInfoForProfiling=*/false,
                             llvm::DICompileUnit::DebugNameTableKind::None);
}

void DebugLines::Set(llvm::Function* function, int line) {
  const auto at = static_cast<unsigned>(line);
  llvm::DISubroutineType* const type =
      builder_.createSubroutineType(builder_.getOrCreateTypeArray({}));
  llvm::DISubprogram* const subprogram = builder_.createFunction(
      file_, function->getName(), /*LinkageName=*/"", file_, at, type, at, llvm::DINode::FlagZero,
      llvm::DISubprogram::SPFlagDefinition | llvm::DISubprogram::SPFlagOptimized);
  function->setSubprogram(subprogram);
  const llvm::DILocation* const location =
      llvm::DILocation::get(function->getContext(), at, /*Column=*/0, subprogram);
  for (llvm::BasicBlock& block : *function) {
    for (llvm::Instruction& instruction : block) instruction.setDebugLoc(location);
  }
}

}  // namespace weft::codegen
