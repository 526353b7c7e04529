#include <algorithm>
#include <iostream>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ir/text.h"
#include "passes/pipelines.h"
#include "runtime/base/cpu.h"
#include "runtime/base/status_macros.h"
#include "tools/arguments.h"
#include "tools/commands.h"
#include "tools/dump_plan.h"
#include "tools/dump_text.h"
#include "tools/module_diff.h"

namespace weft::tools {
namespace {

struct DumpArguments {
  ModelArguments model;
  std::string stage = passes::StageNames().back();
  std::string format = "text";
  std::string kernel;
  std::string source;
  int64_t logit_rows = 1;
  std::string expanded;  // a layer or "all"; empty: the first
  bool sections = false;
  bool memory = false;
  CLI::Option* diff = nullptr;  // whether it is given
  std::string previous;         // of --diff; empty: the stage before
};

int64_t Expanded(const DumpArguments& arguments) {
  if (arguments.expanded.empty()) return kFirstLayer;
  int64_t layer = 0;
  return absl::SimpleAtoi(arguments.expanded, &layer) ? layer : kAllLayers;
}

// The stage that --diff compares with.
absl::StatusOr<std::string> PreviousStage(const DumpArguments& arguments) {
  if (!IsPassStage(arguments.stage)) {
    return absl::InvalidArgumentError(absl::StrCat("--diff compares stages of the IR, and ",
                                                   arguments.stage, " comes after these"));
  }
  if (!arguments.previous.empty()) return arguments.previous;
  const std::vector<std::string> stages = passes::StageNames();
  const auto found = std::ranges::find(stages, arguments.stage);
  if (found != stages.begin()) return *(found - 1);
  return absl::InvalidArgumentError(
      absl::StrCat("--diff: there is no stage before ", arguments.stage));
}

// Both stages of one run of the passes.
absl::StatusOr<std::string> DiffModelStages(const DumpArguments& arguments,
                                            passes::PipelineOptions pipeline, ir::Module module) {
  WEFT_ASSIGN_OR_RETURN(const std::string previous, PreviousStage(arguments));
  const std::string& stage = arguments.stage;
  std::optional<absl::StatusOr<ir::Module>> before;
  std::optional<absl::StatusOr<ir::Module>> after;
  pipeline.record = [&](absl::string_view name, const std::string& text) {
    if (name == previous) before = ir::Parse(text);
    if (name == stage) after = ir::Parse(text);
  };
  WEFT_RETURN_IF_ERROR(RunPassesAsAsked(arguments.model, pipeline, &module));
  WEFT_RETURN_IF_ERROR(before->status());
  WEFT_RETURN_IF_ERROR(after->status());
  return DiffModules(previous, **before, stage, **after);
}

absl::Status CheckFormats(const DumpArguments& arguments) {
  const std::string& format = arguments.format;
  if (arguments.sections) return CheckFormat("--sections", format, {"text", "json"});
  if (arguments.memory) return CheckFormat("--memory", format, {"text", "json"});
  if (arguments.diff->count() > 0) return CheckFormat("--diff", format, {"text"});
  const std::string what = absl::StrCat("stage ", arguments.stage);
  if (arguments.stage == kProgramStage) return CheckFormat(what, format, {"text", "json"});
  if (!IsPassStage(arguments.stage)) return CheckFormat(what, format, {"text"});
  return absl::OkStatus();
}

absl::StatusOr<std::string> DumpPlan(const DumpArguments& arguments, const Plan& plan) {
  if (arguments.sections) return DumpSections(plan, arguments.format);
  if (arguments.memory) return DumpPlanMemory(plan, arguments.format);
  if (arguments.diff->count() > 0) {
    WEFT_ASSIGN_OR_RETURN(const std::string previous, PreviousStage(arguments));
    return DiffPlanStages(plan, previous, arguments.stage, arguments.source);
  }
  return DumpPlanStage(plan, {arguments.stage, arguments.format, arguments.kernel,
                              arguments.model.target, Expanded(arguments), arguments.source});
}

absl::StatusOr<std::string> DumpModel(const DumpArguments& arguments) {
  if (arguments.sections || !arguments.source.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(arguments.model.model, ": ",
                                                   arguments.sections ? "--sections" : "--source",
                                                   " is for plans, and this is none"));
  }
  const bool pass_stage = IsPassStage(arguments.stage) && !arguments.memory;
  WEFT_ASSIGN_OR_RETURN(const CpuFeatures cpu, UsableCpuFeatures());
  WEFT_ASSIGN_OR_RETURN(const codegen::Target target,
                        codegen::ParseTarget(arguments.model.target, cpu));
  WEFT_ASSIGN_OR_RETURN(Model model, OpenModel(arguments.model, /*tokenizer=*/false));
  WEFT_ASSIGN_OR_RETURN(CompileSettings settings, SettingsOf(arguments.model));
  passes::PassOptions& pass = settings.pipeline.pass;
  pass.context = model.context;
  pass.max_logit_rows = arguments.logit_rows;
  if (arguments.diff->count() > 0) {
    return DiffModelStages(arguments, std::move(settings.pipeline), std::move(model.module));
  }
  if (pass_stage) settings.pipeline.stop_after = arguments.stage;
  WEFT_RETURN_IF_ERROR(RunPassesAsAsked(arguments.model, settings.pipeline, &model.module));
  if (pass_stage) return FormatModule(model.module, arguments.format, Expanded(arguments));
  WEFT_ASSIGN_OR_RETURN(
      const codegen::BuiltProgram built,
      codegen::BuildProgram(model.module, target,
                            {pass.max_tokens, pass.max_logit_rows, model.context}));
  if (arguments.memory) return FormatMemory(built.program, &model.module, arguments.format);
  if (arguments.stage == kProgramStage)
    return FormatProgram(built.program, built.kernels, arguments.format);
  return CodeText(arguments.stage, built.kernels, target, arguments.kernel);
}

absl::Status RunDump(const DumpArguments& arguments) {
  WEFT_RETURN_IF_ERROR(CheckFormats(arguments));
  WEFT_ASSIGN_OR_RETURN(const std::shared_ptr<const Plan> plan, OpenIfPlan(arguments.model));
  WEFT_ASSIGN_OR_RETURN(const std::string text,
                        plan != nullptr ? DumpPlan(arguments, *plan) : DumpModel(arguments));
  std::cout << text;
  return absl::OkStatus();
}

}  // namespace

void AddDump(CLI::App* app, Command* chosen) {
  auto arguments = std::make_shared<DumpArguments>();
  CLI::App* command = app->add_subcommand(
      "dump", "print the IR at any stage, the code of kernels, or where everything stands");
  AddModelArgument(command, "MODEL|PLAN", &arguments->model);
  const std::vector<std::string> stages = AllStages();
  auto* stage = command
                    ->add_option("--stage", arguments->stage,
                                 absl::StrCat("what to print: ", absl::StrJoin(stages, ", "),
                                              " (default ", arguments->stage, ")"))
                    ->check(CLI::IsMember(stages))
                    ->type_name("STAGE");
  auto* sections =
      command
          ->add_flag(
              "--sections", arguments->sections,
              "print the sections of a plan: which target or stage, offset, bytes, checksum, "
              "share of the file")
          ->excludes(stage);
  auto* memory =
      command
          ->add_flag(
              "--memory", arguments->memory,
              "print where everything stands in memory: values of the arena with the steps they "
              "live from and to, weights, KV cache")
          ->excludes(stage)
          ->excludes(sections);
  arguments->diff =
      command
          ->add_option("--diff", arguments->previous,
                       "print what the passes from stage PREVIOUS to --stage changed, as a unified "
                       "diff; without PREVIOUS, from the stage before")
          ->expected(0, 1)
          ->check(CLI::IsMember(passes::StageNames()))
          ->excludes(sections)
          ->excludes(memory)
          ->type_name("[PREVIOUS]");
  command
      ->add_option("--format", arguments->format,
                   "text, json, or for stages of the IR dot (Graphviz) (default text)")
      ->check(CLI::IsMember({"text", "dot", "json"}))
      ->type_name("FORMAT");
  command
      ->add_option("--expand-layer", arguments->expanded,
                   "with dot: the layer to show in full, or 'all'; others are a node for each run "
                   "of layers that are alike (default: the first)")
      ->check([](const std::string& text) {
        int64_t layer = -1;
        const bool known = text == "all" || (absl::SimpleAtoi(text, &layer) && layer >= 0);
        return known ? std::string() : "is a layer's number or 'all'";
      })
      ->type_name("N");
  command
      ->add_option("--kernel", arguments->kernel,
                   "with llvm and asm: only kernels whose names hold this")
      ->type_name("NAME");
  command
      ->add_option("--source", arguments->source,
                   "the model that a plan was compiled from, to compile stages that the plan does "
                   "not hold again")
      ->type_name("MODEL");
  AddCompileOptions(command, &arguments->model);
  command->callback([arguments, chosen] { *chosen = [arguments] { return RunDump(*arguments); }; });
}

}  // namespace weft::tools
