#include "tools/dump_text.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "codegen/compiler.h"
#include "ir/text.h"
#include "passes/pipelines.h"
#include "runtime/barriers.h"
#include "runtime/plan/program_json.h"
#include "runtime/text/terminal_text.h"
#include "tools/dot_graph.h"
#include "tools/json_text.h"
#include "tools/memory_map.h"

namespace weft::tools {
namespace {

std::string ProgramText(const Program& program, absl::Span<const codegen::Kernel> kernels) {
  const std::vector<StepGroup> groups = DeriveGroups(program, /*one_row=*/false);
  auto next = groups.begin();  // steps are printed in their order
  const auto note = [&](size_t step) -> std::string {
    for (; next != groups.end() && next->begin <= step; ++next) {
      const StepGroup& group = *next;
      if (group.begin != step) continue;
      const char* kind = group.kind == StepGroup::Kind::kRows
                             ? "rows: who takes some runs these steps on them"
                             : "units";
      return absl::StrCat("-- ", group.barrier ? "barrier, then " : "", kind, "\n");
    }
    return "";
  };
  const auto layers = std::ranges::count(program.steps, ir::Name(ir::Op::kAttention),
                                         [](const Step& step) { return step.kind; });
  const auto counted = [layers](int64_t barriers) {
    return absl::StrFormat(
        "%d (%.1f a layer)", barriers,
        static_cast<double>(barriers) / static_cast<double>(std::max(1L, layers)));
  };
  return absl::StrCat(TerminalText(codegen::PrintProgram(program, kernels, note)),
                      "barriers a run: ", counted(CountBarriers(groups)), ", of one token ",
                      counted(CountBarriers(DeriveGroups(program, /*one_row=*/true))), "\n");
}

}  // namespace

std::vector<std::string> AllStages() {
  std::vector<std::string> stages = passes::StageNames();
  for (const char* stage : {kProgramStage, kLlvmStage, kAsmStage}) stages.emplace_back(stage);
  return stages;
}

bool IsPassStage(const std::string& stage) {
  return stage != kProgramStage && stage != kLlvmStage && stage != kAsmStage;
}

absl::StatusOr<std::string> FormatModule(const ir::Module& module, const std::string& format,
                                         int64_t expanded) {
  if (format == "dot") return DotGraph(module, expanded);
  return format == "json" ? ir::PrintJson(module) : ir::Print(module);
}

std::string FormatProgram(const Program& program, absl::Span<const codegen::Kernel> kernels,
                          const std::string& format) {
  return format == "json" ? ProgramToJson(program) + "\n" : ProgramText(program, kernels);
}

std::string FormatMemory(const Program& program, const ir::Module* module,
                         const std::string& format) {
  const MemoryMap map = MapMemory(program, module);
  if (format == "text") return MemoryText(map);
  return JsonText(MemoryJson(map), 2) + "\n";
}

absl::StatusOr<std::string> CodeText(const std::string& stage,
                                     const std::vector<codegen::Kernel>& kernels,
                                     const codegen::Target& target, const std::string& part) {
  std::vector<codegen::Kernel> chosen;
  std::vector<std::string> names;
  for (const codegen::Kernel& kernel : kernels) {
    names.push_back(kernel.name);
    if (absl::StrContains(kernel.name, part)) chosen.push_back(kernel);
  }
  if (chosen.empty()) return NoKernel(part, names);
  return stage == kLlvmStage ? codegen::CompileToLlvm(chosen, target)
                             : codegen::CompileToAssembly(chosen, target);
}

absl::Status CheckFormat(const std::string& what, const std::string& format,
                         const std::vector<std::string>& formats) {
  if (std::ranges::find(formats, format) != formats.end()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("--format ", format, ": ", what, " is printed as ",
                                                 absl::StrJoin(formats, " or "),
                                                 formats.size() == 1 ? " only" : ""));
}

absl::Status NoKernel(const std::string& part, const std::vector<std::string>& names) {
  return absl::NotFoundError(
      absl::StrCat("no kernel's name holds '", part, "'; there are: ", absl::StrJoin(names, ", ")));
}

}  // namespace weft::tools
