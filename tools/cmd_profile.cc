#include <iostream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "codegen/target.h"
#include "runtime/base/atomic_file.h"
#include "runtime/base/cpu.h"
#include "runtime/base/status_macros.h"
#include "runtime/profile.h"
#include "runtime/sampling/sampler.h"
#include "runtime/session.h"
#include "runtime/text/stream_decoder.h"
#include "tools/arguments.h"
#include "tools/commands.h"
#include "tools/interrupt.h"
#include "tools/profile_table.h"
#include "tools/report_html.h"
#include "tools/trace_events.h"

namespace weft::tools {
namespace {

struct ProfileArguments {
  ModelArguments model;
  std::string prompt = "512";
  int64_t count = 64;
  int threads = 0;
  std::string by = "op";
  std::string trace_out;
  std::string report;
  bool no_roof = false;
  bool json = false;
  bool csv = false;
};

// Drawn in a timeline; some megabytes of text.
constexpr size_t kKeptRuns = 32;

// A number stands for so many tokens, whichever they are; everything else is text.
absl::StatusOr<std::vector<int32_t>> PromptIds(const std::string& prompt, const Engine& engine) {
  int64_t count = 0;
  if (!absl::SimpleAtoi(prompt, &count)) {
    WEFT_ASSIGN_OR_RETURN(const std::shared_ptr<const Tokenizer> tokenizer, engine.tokenizer());
    return tokenizer->Encode(prompt);
  }
  if (count < 1 || count > engine.program().context) {
    return absl::InvalidArgumentError(absl::StrCat("-p ", count, ": takes 1 to ",
                                                   engine.program().context,
                                                   " tokens (the context; ask for more with -c)"));
  }
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < count; ++i)
    ids.push_back(static_cast<int32_t>((i * 7919 + 11) % engine.program().vocab));
  return ids;
}

// One token at a time, the likeliest, with the time of each part on its phase.
absl::Status Decode(const ProfileArguments& arguments, const Engine& engine, int32_t last,
                    Session* session, ProfileRecorder* recorder) {
  WEFT_ASSIGN_OR_RETURN(Sampler sampler, Sampler::Create({.temperature = 0}));
  std::optional<StreamDecoder> decoder;
  if (auto tokenizer = engine.tokenizer(); tokenizer.ok())
    decoder.emplace(**tokenizer, /*skip_special=*/true);
  const int64_t start = NowNs();
  int64_t choosing_ns = 0;
  int64_t text_ns = 0;
  for (int64_t i = 0; i < arguments.count && session->position() < session->context(); ++i) {
    WEFT_RETURN_IF_ERROR(session->Decode(last));
    int64_t begin = NowNs();
    WEFT_ASSIGN_OR_RETURN(last, sampler.Sample(session->Logits()));
    choosing_ns += NowNs() - begin;
    begin = NowNs();
    if (decoder) decoder->Add(last);
    text_ns += NowNs() - begin;
  }
  if (recorder->phases().back().name != "decode") return absl::OkStatus();
  PhaseProfile& phase = recorder->phases().back();
  phase.wall_ns = NowNs() - start;
  phase.choosing_ns = choosing_ns;
  phase.text_ns = text_ns;
  return absl::OkStatus();
}

absl::Status Generate(const ProfileArguments& arguments, const Engine& engine, Executor* executor,
                      ProfileRecorder* recorder) {
  WEFT_ASSIGN_OR_RETURN(const std::vector<int32_t> ids, PromptIds(arguments.prompt, engine));
  if (ids.empty()) return absl::InvalidArgumentError("the prompt holds no token");
  Session session(executor);
  recorder->Begin("cold");
  WEFT_RETURN_IF_ERROR(session.Decode(ids[0]));
  // What follows is not to share the memory with the copy of a plan's weights.
  (void)engine.SettledWeights();
  session.Reset();
  recorder->Begin("prefill", static_cast<int64_t>(ids.size()));
  const int64_t begin = NowNs();
  WEFT_RETURN_IF_ERROR(session.Prefill(ids));
  recorder->phases().back().wall_ns = NowNs() - begin;
  return Decode(arguments, engine, session.Argmax(), &session, recorder);
}

absl::Status WriteText(const std::string& path, const std::string& text) {
  WEFT_ASSIGN_OR_RETURN(const std::unique_ptr<AtomicFileWriter> file,
                        AtomicFileWriter::Create(path));
  WEFT_RETURN_IF_ERROR(file->Append(text));
  return file->Commit();
}

absl::Status WriteTrace(const std::string& path, const Engine& engine,
                        const ProfileRecorder& recorder) {
  const CompiledModel* compiled = engine.compiled();
  return WriteText(path, compiled == nullptr ? TraceEvents(engine.program(), recorder.kept(), {}, 0)
                                             : TraceEvents(engine.program(), recorder.kept(),
                                                           compiled->passes, compiled->codegen_ms));
}

absl::Status WriteReport(const std::string& path, const Engine& engine,
                         const ProfileReport& profile, const ProfileRecorder& recorder) {
  WEFT_ASSIGN_OR_RETURN(const ir::Module module, engine.Module());
  HtmlReport report{.profile = &profile, .recorder = &recorder, .compiled = &module};
  if (const CompiledModel* compiled = engine.compiled(); compiled != nullptr) {
    report.passes = compiled->passes;
    report.imported = &compiled->imported;
  }
  return WriteText(path, HtmlOf(report));
}

absl::Status RunProfile(const ProfileArguments& arguments) {
  const bool draws = !arguments.trace_out.empty() || !arguments.report.empty();
  ProfileRecorder recorder(draws ? kKeptRuns : 0);
  ExecutorOptions options{.on_run = recorder.OnRun(), .cancel = InterruptFlag()};
  if (arguments.threads > 0) options.threads = arguments.threads;
  WEFT_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine,
                        OpenEngine(arguments.model, 1, options));
  recorder.SetExecutor(&engine->executor());
  WEFT_RETURN_IF_ERROR(Generate(arguments, *engine, &engine->executor(), &recorder));

  ProfileReport report = ReportFor(*engine, engine->executor());
  if (!arguments.no_roof) {
    WEFT_ASSIGN_OR_RETURN(const CpuFeatures cpu, UsableCpuFeatures());
    WEFT_ASSIGN_OR_RETURN(const codegen::Target target,
                          codegen::ParseTarget(engine->target(), cpu));
    WEFT_ASSIGN_OR_RETURN(
        report.roofs,
        MeasureRoofs(engine->SettledWeights(), static_cast<int64_t>(engine->program().weight_bytes),
                     target, report.threads));
  }
  report.phases = std::move(recorder.phases());
  if (!arguments.trace_out.empty())
    WEFT_RETURN_IF_ERROR(WriteTrace(arguments.trace_out, *engine, recorder));
  if (!arguments.report.empty())
    WEFT_RETURN_IF_ERROR(WriteReport(arguments.report, *engine, report, recorder));
  const ProfileBy by = arguments.by == "layer"    ? ProfileBy::kLayer
                       : arguments.by == "weight" ? ProfileBy::kWeight
                                                  : ProfileBy::kOp;
  if (arguments.json) {
    std::cout << ProfileJson(report, by).dump(2) << "\n";
  } else {
    std::cout << (arguments.csv ? ProfileCsv(report, by) : ProfileText(report, by));
  }
  return absl::OkStatus();
}

}  // namespace

void AddProfile(CLI::App* app, Command* chosen) {
  auto arguments = std::make_shared<ProfileArguments>();
  CLI::App* command = app->add_subcommand(
      "profile",
      "where the time of a prompt and of generation goes, beside what this machine can do");
  AddModelArgument(command, "MODEL|PLAN", &arguments->model);
  command
      ->add_option("-p,--prompt", arguments->prompt,
                   "text, or how many made-up tokens (default 512)")
      ->type_name("TEXT|N");
  command->add_option("-n,--predict", arguments->count, "tokens to generate (default 64)")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 30))
      ->type_name("N");
  AddThreadsOption(command, &arguments->threads);
  command
      ->add_option(
          "--by", arguments->by,
          "a row per kind of op, per layer, or per weight: op, layer or weight (default op)")
      ->check(CLI::IsMember({"op", "layer", "weight"}))
      ->type_name("WHAT");
  command
      ->add_option("--trace-out", arguments->trace_out,
                   absl::StrCat("also write the last ", kKeptRuns,
                                " runs of each phase as trace events, for ui.perfetto.dev"))
      ->type_name("FILE.json");
  command
      ->add_option("--report", arguments->report,
                   "also write a page with tables, roofline, timelines, memory and passes, which a "
                   "browser shows without a network")
      ->type_name("FILE.html");
  command->add_flag("--no-roof", arguments->no_roof,
                    "do not measure what this machine can do at most, which takes a second or two");
  auto* json = command->add_flag("--json", arguments->json, "print JSON");
  command->add_flag("--csv", arguments->csv, "print CSV")->excludes(json);
  AddCompileOptions(command, &arguments->model);
  AddMemoryOptions(command, &arguments->model);
  command->callback(
      [arguments, chosen] { *chosen = [arguments] { return RunProfile(*arguments); }; });
}

}  // namespace weft::tools
