// What `weft dump` prints of models and plans alike.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "codegen/program_builder.h"
#include "codegen/target.h"
#include "ir/module.h"

namespace weft::tools {

// Stages after the passes.
inline constexpr char kProgramStage[] = "program";
inline constexpr char kLlvmStage[] = "llvm";
inline constexpr char kAsmStage[] = "asm";

// Those of the passes and those after them.
std::vector<std::string> AllStages();
bool IsPassStage(const std::string& stage);

// "text", "json" or "dot", of which `expanded` is a layer (dot_graph.h).
absl::StatusOr<std::string> FormatModule(const ir::Module& module, const std::string& format,
                                         int64_t expanded);

// "text" or "json". Text has a line before each group of steps that tells how workers share it, and
// the kernels' emitters where `kernels` are at hand; JSON is that of plans.
std::string FormatProgram(const Program& program, absl::Span<const codegen::Kernel> kernels,
                          const std::string& format);

// "text" or "json" (memory_map.h).
std::string FormatMemory(const Program& program, const ir::Module* module,
                         const std::string& format);

// LLVM IR (kLlvmStage) or assembly (kAsmStage) of the kernels whose names hold `part`. An error
// that lists the kernels where there is none.
absl::StatusOr<std::string> CodeText(const std::string& stage,
                                     const std::vector<codegen::Kernel>& kernels,
                                     const codegen::Target& target, const std::string& part);

// Whether something is printed in `format`; `formats` are those it is printed in.
absl::Status CheckFormat(const std::string& what, const std::string& format,
                         const std::vector<std::string>& formats);

// The error of CodeText.
absl::Status NoKernel(const std::string& part, const std::vector<std::string>& names);

}  // namespace weft::tools
