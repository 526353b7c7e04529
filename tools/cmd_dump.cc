#include <algorithm>
#include <iostream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "codegen/compiler.h"
#include "ir/text.h"
#include "passes/pipelines.h"
#include "runtime/barriers.h"
#include "runtime/base/cpu.h"
#include "runtime/base/status_macros.h"
#include "tools/arguments.h"
#include "tools/commands.h"

namespace weft::tools {
namespace {

// Stages after the passes.
constexpr char kProgram[] = "program";
constexpr char kLlvm[] = "llvm";
constexpr char kAsm[] = "asm";

struct DumpArguments {
  ModelArguments model;
  std::string stage = passes::StageNames().back();
  std::string format = "text";
  std::string kernel;
  int64_t logit_rows = 1;
};

std::vector<std::string> AllStages() {
  std::vector<std::string> stages = passes::StageNames();
  for (const char* stage : {kProgram, kLlvm, kAsm}) stages.emplace_back(stage);
  return stages;
}

std::string Formatted(const ir::Module& module, const std::string& format) {
  if (format == "dot") return ir::PrintDot(module);
  return format == "json" ? ir::PrintJson(module) : ir::Print(module);
}

// The kernels whose names hold the text asked for; all if none is asked for.
absl::StatusOr<std::vector<codegen::Kernel>> ChooseKernels(
    const std::vector<codegen::Kernel>& kernels, const std::string& part) {
  std::vector<codegen::Kernel> chosen;
  for (const codegen::Kernel& kernel : kernels) {
    if (absl::StrContains(kernel.name, part)) chosen.push_back(kernel);
  }
  if (!chosen.empty()) return chosen;
  return absl::NotFoundError(absl::StrCat(
      "no kernel's name holds '", part, "'; there are: ",
      absl::StrJoin(kernels, ", ", [](std::string* out, const codegen::Kernel& kernel) {
        out->append(kernel.name);
      })));
}

// The program, with a line before each group of steps that tells how workers share it.
std::string WithGroups(const codegen::BuiltProgram& built) {
  const std::vector<StepGroup> groups = DeriveGroups(built.program, /*one_row=*/false);
  const auto note = [&groups](size_t step) -> std::string {
    for (const StepGroup& group : groups) {
      if (group.begin != step) continue;
      const char* kind = group.kind == StepGroup::Kind::kRows
                             ? "rows: who takes some runs these steps on them"
                             : "units";
      return absl::StrCat("-- ", group.barrier ? "barrier, then " : "", kind, "\n");
    }
    return "";
  };
  const auto layers = std::ranges::count(built.program.steps, ir::Name(ir::Op::kAttention),
                                         [](const Step& step) { return step.kind; });
  const auto counted = [layers](int64_t barriers) {
    return absl::StrFormat(
        "%d (%.1f a layer)", barriers,
        static_cast<double>(barriers) / static_cast<double>(std::max(1L, layers)));
  };
  return absl::StrCat(codegen::PrintProgram(built, note),
                      "barriers a run: ", counted(CountBarriers(groups)), ", of one token ",
                      counted(CountBarriers(DeriveGroups(built.program, /*one_row=*/true))), "\n");
}

absl::Status DumpCode(const DumpArguments& arguments, const codegen::Target& target,
                      const ir::Module& module, const passes::PassOptions& pass, int64_t context) {
  WEFT_ASSIGN_OR_RETURN(
      const codegen::BuiltProgram built,
      codegen::BuildProgram(module, target, {pass.max_tokens, pass.max_logit_rows, context}));
  if (arguments.stage == kProgram) {
    std::cout << WithGroups(built);
    return absl::OkStatus();
  }
  WEFT_ASSIGN_OR_RETURN(const std::vector<codegen::Kernel> kernels,
                        ChooseKernels(built.kernels, arguments.kernel));
  WEFT_ASSIGN_OR_RETURN(const std::string text, arguments.stage == kLlvm
                                                    ? codegen::CompileToLlvm(kernels, target)
                                                    : codegen::CompileToAssembly(kernels, target));
  std::cout << text;
  return absl::OkStatus();
}

absl::Status DumpPlan(const DumpArguments& arguments, const Plan& plan) {
  if (arguments.stage != passes::StageNames().back()) {
    return absl::InvalidArgumentError(
        absl::StrCat(plan.path(), ": a plan holds the IR of the last stage only, ",
                     passes::StageNames().back(), "; dump its model for others"));
  }
  const absl::string_view text = plan.ir();
  if (arguments.format == "text") {
    std::cout << std::string(text);
    return absl::OkStatus();
  }
  absl::StatusOr<ir::Module> module = ir::Parse(text);
  if (!module.ok())
    return absl::Status(module.status().code(),
                        absl::StrCat(plan.path(), ": IR: ", module.status().message()));
  std::cout << Formatted(*module, arguments.format);
  return absl::OkStatus();
}

absl::Status RunDump(const DumpArguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const std::shared_ptr<const Plan> plan, OpenIfPlan(arguments.model.model));
  if (plan != nullptr) return DumpPlan(arguments, *plan);
  const bool code =
      arguments.stage == kProgram || arguments.stage == kLlvm || arguments.stage == kAsm;
  if (code && arguments.format != "text") {
    return absl::InvalidArgumentError(absl::StrCat("stage ", arguments.stage, " is text only"));
  }
  WEFT_ASSIGN_OR_RETURN(const codegen::Target target,
                        codegen::ParseTarget(arguments.model.target, DetectCpuFeatures()));
  WEFT_ASSIGN_OR_RETURN(Model model, OpenModel(arguments.model, /*tokenizer=*/false));
  WEFT_ASSIGN_OR_RETURN(CompileSettings settings, SettingsOf(arguments.model));
  settings.pipeline.pass.context = model.context;
  settings.pipeline.pass.max_logit_rows = arguments.logit_rows;
  if (!code) settings.pipeline.stop_after = arguments.stage;
  WEFT_ASSIGN_OR_RETURN(
      const std::vector<passes::PassStats> stats,
      passes::RunPipeline(passes::DefaultPipeline(), settings.pipeline, &model.module));
  if (code) return DumpCode(arguments, target, model.module, settings.pipeline.pass, model.context);
  std::cout << Formatted(model.module, arguments.format);
  return absl::OkStatus();
}

}  // namespace

void AddDump(CLI::App* app, Command* chosen) {
  auto arguments = std::make_shared<DumpArguments>();
  CLI::App* command =
      app->add_subcommand("dump", "print the IR at any stage, or the code of kernels");
  AddModelArgument(command, "MODEL|PLAN", &arguments->model);
  const std::vector<std::string> stages = AllStages();
  command
      ->add_option("--stage", arguments->stage,
                   absl::StrCat("what to print: ", absl::StrJoin(stages, ", "), " (default ",
                                arguments->stage, ")"))
      ->check(CLI::IsMember(stages))
      ->type_name("STAGE");
  command->add_option("--format", arguments->format, "text, dot (Graphviz) or json (default text)")
      ->check(CLI::IsMember({"text", "dot", "json"}))
      ->type_name("FORMAT");
  command
      ->add_option("--kernel", arguments->kernel,
                   "with llvm and asm: only kernels whose names hold this")
      ->type_name("NAME");
  AddCompileOptions(command, &arguments->model);
  command->callback([arguments, chosen] { *chosen = [arguments] { return RunDump(*arguments); }; });
}

}  // namespace weft::tools
