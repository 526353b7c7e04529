#include <iostream>

#include "absl/strings/str_cat.h"
#include "frontends/hub/file_io.h"
#include "runtime/base/status_macros.h"
#include "runtime/plan/side_files.h"
#include "tools/arguments.h"
#include "tools/commands.h"
#include "tools/interrupt.h"
#include "tools/progress.h"

namespace weft::tools {
namespace {

struct CompileArguments {
  ModelArguments model;
  std::string output;
  int64_t logit_rows = kLogitRows;
  bool record_stages = false;
  std::string reuse;
  uint64_t split_bytes = 0;
};

absl::Status RunCompile(const CompileArguments& arguments) {
  WEFT_RETURN_IF_ERROR(CheckIsNoInput(arguments.output, arguments.model));
  std::shared_ptr<const Plan> earlier;
  if (!arguments.reuse.empty()) {
    WEFT_ASSIGN_OR_RETURN(earlier, Plan::Open(arguments.reuse));
  }
  WEFT_ASSIGN_OR_RETURN(const Model model, OpenModel(arguments.model));
  WEFT_ASSIGN_OR_RETURN(CompileSettings settings, SettingsOf(arguments.model));
  settings.pipeline.pass.max_logit_rows =
      std::min(arguments.logit_rows, settings.pipeline.pass.max_tokens);
  settings.record_stages = arguments.record_stages;
  const std::atomic<bool>* const cancel = InterruptFlag();
  settings.cancel = cancel;
  const CatchInterrupts catching;
  WEFT_ASSIGN_OR_RETURN(const CompiledModel compiled,
                        CompileAsAsked(model, arguments.model, settings));
  DigestIndex digests(DigestIndex::DefaultPath());
  WritePlanReport report;
  {
    ProgressBar bar;
    WritePlanOptions options{.reuse = earlier.get(),
                             .digests = &digests,
                             .cancel = cancel,
                             .split_bytes = arguments.split_bytes};
    options.progress = [&bar](uint64_t done, uint64_t total) {
      bar.Update("packing weights", done, total);
    };
    WEFT_ASSIGN_OR_RETURN(report, WritePlan(model, compiled, arguments.output, options));
    if (!report.not_reused.empty())
      bar.Note(absl::StrCat("nothing of ", arguments.reuse, " is reused: ", report.not_reused));
  }
  (void)digests.Save();
  std::cout << SummaryTable(model, compiled);
  if (earlier != nullptr) {
    std::cout << "reused " << HumanBytes(report.reused_bytes) << " of "
              << HumanBytes(compiled.program.weight_bytes) << " of packed weights from "
              << arguments.reuse << "\n";
  }
  std::cout << "wrote " << arguments.output << "\n";
  return absl::OkStatus();
}

}  // namespace

void AddCompile(CLI::App* app, Command* chosen) {
  auto arguments = std::make_shared<CompileArguments>();
  CLI::App* command = app->add_subcommand(
      "compile", "compile a model to a plan file, and print what the compiler decided");
  AddModelArgument(command, "MODEL", &arguments->model);
  command->add_option("-o,--output", arguments->output, "the plan file to write")
      ->required()
      ->check(kFileName)
      ->type_name("FILE.weft");
  command
      ->add_option("--logit-rows", arguments->logit_rows,
                   "most rows of logits that a run gives at once, for eval and logits (default 16)")
      ->check(CLI::Range(1, 8192))
      ->type_name("N");
  command->add_flag("--record-stages", arguments->record_stages,
                    "keep the IR of every stage in the plan, for weft dump PLAN --stage");
  command
      ->add_option("--reuse", arguments->reuse,
                   "copy the packed weights whose layout is the same from an earlier plan of the "
                   "same files, instead of packing them again")
      ->type_name("OLD.weft");
  command
      ->add_option("--split-size", arguments->split_bytes,
                   "put the weights into files of at most this size beside the plan, "
                   "NAME-00001-of-0000N.weftw: 500M, 2G (millions, billions of bytes)")
      ->transform(CLI::AsSizeValue(/*kb_is_1000=*/true))
      ->check(CLI::Range(kMinSideFileBytes, uint64_t{1} << 62))
      ->type_name("SIZE");
  AddCompileOptions(command, &arguments->model);
  command->callback(
      [arguments, chosen] { *chosen = [arguments] { return RunCompile(*arguments); }; });
}

}  // namespace weft::tools
