#include <algorithm>
#include <iostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "passes/legality.h"
#include "passes/pass_manager.h"
#include "passes/pipelines.h"
#include "runtime/base/cpu.h"
#include "runtime/base/status_macros.h"
#include "runtime/plan/choose_target.h"
#include "runtime/session.h"
#include "tools/arguments.h"
#include "tools/commands.h"
#include "tools/interrupt.h"
#include "tools/json_text.h"
#include "tools/profile_recorder.h"
#include "tools/recompile_plan.h"
#include "tools/why.h"

namespace weft::tools {
namespace {

struct WhyArguments {
  ModelArguments model;
  std::string weight;
  std::string source;
  int threads = 0;
  bool no_measure = false;
  bool json = false;
};

// Enough for a mean, and a second or two of the largest models that fit.
constexpr int64_t kPromptTokens = 512;
constexpr int64_t kDecodedTokens = 32;

std::string FileName(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// What passes say of a model that is compiled for it.
absl::StatusOr<WhyFacts> FactsOfModel(const WhyArguments& arguments) {
  if (!arguments.source.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(arguments.model.model, ": --source is for plans, and this is none"));
  }
  WhyFacts facts;
  WEFT_ASSIGN_OR_RETURN(facts.cpu, UsableCpuFeatures());
  WEFT_ASSIGN_OR_RETURN(facts.targets, codegen::ParseTargets(arguments.model.target, facts.cpu));
  WEFT_ASSIGN_OR_RETURN(Model model, OpenModel(arguments.model, /*tokenizer=*/false));
  WEFT_ASSIGN_OR_RETURN(CompileSettings settings, SettingsOf(arguments.model));
  facts.remarks.emplace();
  passes::PassOptions& pass = settings.pipeline.pass;
  pass.context = model.context;
  pass.remark = [&facts](passes::Remark remark) { facts.remarks->push_back(std::move(remark)); };
  WEFT_RETURN_IF_ERROR(RunPassesAsAsked(arguments.model, settings.pipeline, &model.module));
  WEFT_ASSIGN_OR_RETURN(
      codegen::BuiltProgram built,
      codegen::BuildProgram(model.module, facts.targets[0],
                            {pass.max_tokens, pass.max_logit_rows, model.context}));
  facts.module = std::move(model.module);
  facts.program = std::move(built.program);
  for (const std::string& path : model.weight_files) facts.files.push_back(FileName(path));
  return facts;
}

absl::StatusOr<WhyFacts> FactsOfPlan(const WhyArguments& arguments, const Plan& plan) {
  WhyFacts facts;
  WEFT_ASSIGN_OR_RETURN(facts.cpu, UsableCpuFeatures());
  WEFT_ASSIGN_OR_RETURN(facts.module, ParseStage(plan, std::string(plan.ir())));
  facts.program = plan.program();
  const passes::PassOptions limits = {.max_tokens = facts.program.max_tokens,
                                      .max_logit_rows = facts.program.max_logit_rows,
                                      .context = facts.program.context};
  if (const absl::Status status = passes::CheckPlanned(facts.module, limits); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(plan.path(),
                                                   ": its IR is not what this version makes (",
                                                   status.message(), "); compile the model again"));
  }
  for (const PlanMetadata::Target& target : plan.metadata().targets) {
    WEFT_ASSIGN_OR_RETURN(facts.targets.emplace_back(),
                          codegen::ParseTarget(target.name, facts.cpu));
    if (facts.targets.back().name != target.name) {  // "host" is a wish, not what code is for
      return absl::InvalidArgumentError(
          absl::StrCat(plan.path(), ": names the target ", target.name, " (damaged file?)"));
    }
  }
  const absl::StatusOr<size_t> runs_here =
      ChooseTarget(plan.metadata(), arguments.model.target, facts.cpu, plan.path());
  // Looking at a plan needs no machine that can run it.
  if (!runs_here.ok() && !(arguments.no_measure && arguments.model.target == "host"))
    return runs_here.status();
  facts.chosen = runs_here.value_or(0);
  for (const PlanMetadata::SourceFile& file : plan.metadata().source)
    facts.files.push_back(file.name);
  std::optional<ir::Module> imported;
  if (!arguments.source.empty()) {
    WEFT_ASSIGN_OR_RETURN(imported, ImportSource(plan, arguments.source));
  } else {
    WEFT_ASSIGN_OR_RETURN(imported, RecordedImport(plan));
  }
  if (!imported) return facts;
  std::vector<passes::Remark> remarks;
  WEFT_RETURN_IF_ERROR(RecompilePlan(plan, *std::move(imported), [&remarks](passes::Remark remark) {
                         remarks.push_back(std::move(remark));
                       }).status());
  facts.remarks = std::move(remarks);
  return facts;
}

// A prompt and some tokens after it, timed, then the roofs.
absl::StatusOr<WhyTimes> Measure(const WhyArguments& arguments, WhyFacts* facts) {
  ProfileRecorder recorder;
  ExecutorOptions options{.on_run = recorder.OnRun(), .cancel = InterruptFlag()};
  if (arguments.threads > 0) options.threads = arguments.threads;
  WEFT_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine,
                        OpenEngine(arguments.model, 1, options));
  // A plan of the compile cache may give more rows of logits than were asked for.
  WEFT_ASSIGN_OR_RETURN(facts->module, engine->Module());
  facts->program = engine->program();
  recorder.SetExecutor(&engine->executor());
  facts->threads = engine->executor().threads();
  const CatchInterrupts catching;
  Session session(&engine->executor());
  recorder.Begin("cold");
  WEFT_RETURN_IF_ERROR(session.Decode(0));
  (void)engine->SettledWeights();
  session.Reset();
  WhyTimes times;
  times.prefill_tokens = std::min(kPromptTokens, std::max<int64_t>(1, session.context() / 2));
  recorder.Begin("prefill", times.prefill_tokens);
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < times.prefill_tokens; ++i)
    ids.push_back(static_cast<int32_t>((i * 7919 + 11) % engine->program().vocab));
  WEFT_RETURN_IF_ERROR(session.Prefill(ids));
  for (int64_t i = 0; i < kDecodedTokens && session.position() < session.context(); ++i)
    WEFT_RETURN_IF_ERROR(session.Decode(session.Argmax()));
  for (PhaseProfile& phase : recorder.phases()) {
    if (phase.name == "prefill") times.prefill = std::move(phase.profile);
    if (phase.name == "decode") times.decode = std::move(phase.profile);
  }
  const auto target = std::ranges::find(facts->targets, engine->target(), &codegen::Target::name);
  facts->chosen = static_cast<size_t>(target - facts->targets.begin());
  times.prefill.steps.resize(facts->program.steps.size());
  times.decode.steps.resize(facts->program.steps.size());
  WEFT_ASSIGN_OR_RETURN(
      times.roofs,
      MeasureRoofs(engine->SettledWeights(), static_cast<int64_t>(engine->program().weight_bytes),
                   *target, facts->threads));
  return times;
}

absl::Status RunWhy(const WhyArguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const std::shared_ptr<const Plan> plan, OpenIfPlan(arguments.model));
  WEFT_ASSIGN_OR_RETURN(WhyFacts facts,
                        plan != nullptr ? FactsOfPlan(arguments, *plan) : FactsOfModel(arguments));
  facts.threads = arguments.threads > 0 ? arguments.threads : UsableCpus();
  // A name that there is not, before seconds of measuring.
  WEFT_ASSIGN_OR_RETURN(nlohmann::ordered_json json, WhyJson(facts, arguments.weight));
  if (!arguments.no_measure) {
    WEFT_ASSIGN_OR_RETURN(facts.times, Measure(arguments, &facts));
    WEFT_ASSIGN_OR_RETURN(json, WhyJson(facts, arguments.weight));
  }
  std::cout << (arguments.json ? JsonText(json, 2) + "\n" : WhyText(json));
  return absl::OkStatus();
}

}  // namespace

void AddWhy(CLI::App* app, Command* chosen) {
  auto arguments = std::make_shared<WhyArguments>();
  CLI::App* command = app->add_subcommand(
      "why",
      "what was decided about a weight, and why: format, fusions, layout, kernel, work, times");
  AddModelArgument(command, "MODEL|PLAN", &arguments->model);
  command
      ->add_option("weight", arguments->weight,
                   "name of the tensor or location, or a glob: 'model.layers.*.mlp.down_proj'")
      ->required()
      ->type_name("WEIGHT");
  command->add_flag("--json", arguments->json, "print JSON");
  command->add_flag("--no-measure", arguments->no_measure,
                    "tell no times: nothing is run, and no weight is read");
  command
      ->add_option("--source", arguments->source,
                   "the model that a plan was compiled from, for what passes said where the plan "
                   "does not record its stages")
      ->type_name("MODEL");
  AddThreadsOption(command, &arguments->threads);
  AddCompileOptions(command, &arguments->model);
  AddCacheOption(command, &arguments->model);
  command->callback([arguments, chosen] { *chosen = [arguments] { return RunWhy(*arguments); }; });
}

}  // namespace weft::tools
