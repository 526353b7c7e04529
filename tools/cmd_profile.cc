#include <algorithm>
#include <iostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "codegen/target.h"
#include "runtime/base/atomic_file.h"
#include "runtime/base/cpu.h"
#include "runtime/base/status_macros.h"
#include "tools/arguments.h"
#include "tools/commands.h"
#include "tools/interrupt.h"
#include "tools/json_text.h"
#include "tools/profile_compare.h"
#include "tools/profile_generation.h"
#include "tools/profile_table.h"
#include "tools/progress.h"
#include "tools/report_html.h"
#include "tools/trace_events.h"

namespace weft::tools {
namespace {

struct ProfileArguments {
  ModelArguments model;
  ProfiledGeneration generation;
  std::vector<std::string> compared;  // two, or none
  std::string measuring;              // an option that is given and of no use for two files
  int rounds = 0;                     // 0: not given
  int threads = 0;
  std::string by = "op";
  std::string trace_out;
  std::string report;
  bool no_roof = false;
  bool counters = false;
  bool json = false;
  bool csv = false;
};

// Drawn in a timeline; some megabytes of text.
constexpr size_t kKeptRuns = 32;

// The fewest whose interval of 95 % leaves out one stray round on either side.
constexpr int kComparedRounds = 9;

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

ProfileBy ByOf(const ProfileArguments& arguments) {
  return arguments.by == "layer"    ? ProfileBy::kLayer
         : arguments.by == "weight" ? ProfileBy::kWeight
                                    : ProfileBy::kOp;
}

// An engine whose runs are recorded, a round at a time.
struct Measured {
  ProfileRecorder recorder;  // before the engine, which calls it
  std::unique_ptr<Engine> engine;
  ProfileReport report;  // with the phases of one round at a time
  std::vector<std::vector<PhaseProfile>> rounds;
};

absl::StatusOr<std::unique_ptr<Measured>> Open(const ProfileArguments& arguments,
                                               const std::string& model) {
  const bool draws = !arguments.trace_out.empty() || !arguments.report.empty();
  auto measured = std::make_unique<Measured>(ProfileRecorder(draws ? kKeptRuns : 0));
  ExecutorOptions options{.on_run = measured->recorder.OnRun(), .cancel = InterruptFlag()};
  if (arguments.threads > 0) options.threads = arguments.threads;
  options.count = arguments.counters;
  ModelArguments opened = arguments.model;
  opened.model = model;
  WEFT_ASSIGN_OR_RETURN(measured->engine, OpenEngine(opened, 1, options));
  measured->recorder.SetExecutor(&measured->engine->executor());
  WEFT_ASSIGN_OR_RETURN(const ir::Module module, measured->engine->Module());
  measured->recorder.SetCache(CachedLayersOf(module));
  measured->report = ReportFor(*measured->engine, measured->engine->executor());
  measured->report.counts = arguments.counters;
  return measured;
}

// The first is cold.
absl::Status AddRound(const ProfileArguments& arguments, Measured* measured) {
  const CatchInterrupts catching;
  WEFT_RETURN_IF_ERROR(ProfileGeneration(arguments.generation, measured->rounds.empty(),
                                         measured->engine.get(), &measured->recorder));
  measured->rounds.push_back(std::exchange(measured->recorder.phases(), {}));
  return absl::OkStatus();
}

std::vector<nlohmann::ordered_json> RoundsJson(const ProfileArguments& arguments,
                                               Measured* measured) {
  std::vector<nlohmann::ordered_json> rounds;
  for (std::vector<PhaseProfile>& phases : measured->rounds) {
    measured->report.phases = std::move(phases);
    rounds.push_back(ProfileJson(measured->report, ByOf(arguments)));
  }
  return rounds;
}

// Who begins a round ended the one before. The first run of each is no part of any: those of two
// engines are not alike, since the second shares the memory with what the first left to do.
absl::Status MeasureInTurns(const ProfileArguments& arguments, ComparedSide (&sides)[2]) {
  std::unique_ptr<Measured> measured[2];
  for (int side = 0; side < 2; ++side) {
    WEFT_ASSIGN_OR_RETURN(measured[side], Open(arguments, sides[side].name));
  }
  const int rounds = arguments.rounds > 0 ? arguments.rounds : kComparedRounds;
  ProgressBar bar;
  for (int round = 0; round < rounds; ++round) {
    bar.UpdateCount("rounds", static_cast<uint64_t>(round), static_cast<uint64_t>(rounds));
    for (int turn = 0; turn < 2; ++turn)
      WEFT_RETURN_IF_ERROR(AddRound(arguments, measured[(round + turn) % 2].get()));
  }
  for (int side = 0; side < 2; ++side) {
    std::erase_if(measured[side]->rounds[0],
                  [](const PhaseProfile& phase) { return phase.name == "cold"; });
    for (const nlohmann::ordered_json& round : RoundsJson(arguments, measured[side].get()))
      sides[side].rounds.emplace_back(round);
  }
  return absl::OkStatus();
}

absl::Status RunCompare(const ProfileArguments& arguments) {
  ComparedSide sides[2];
  int recorded = 0;
  for (int side = 0; side < 2; ++side) {
    const std::string& name = arguments.compared[static_cast<size_t>(side)];
    sides[side].name = name;
    if (!LooksLikeProfile(name)) continue;
    WEFT_ASSIGN_OR_RETURN(sides[side], ReadProfile(name));
    ++recorded;
  }
  if (recorded == 2 && !arguments.measuring.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(arguments.measuring, ": --compare of two files measures nothing"));
  }
  if (recorded == 1) {
    const int file = sides[0].rounds.empty() ? 1 : 0;
    return absl::InvalidArgumentError(absl::StrCat(
        "--compare takes two files of profile --json, or two models or plans, which are measured "
        "in turns; ",
        arguments.compared[static_cast<size_t>(file)], " is such a file, ",
        arguments.compared[static_cast<size_t>(1 - file)], " is none, or is not there"));
  }
  if (recorded == 0) WEFT_RETURN_IF_ERROR(MeasureInTurns(arguments, sides));
  WEFT_ASSIGN_OR_RETURN(const Comparison comparison, Compare(sides[0], sides[1], recorded == 0));
  if (arguments.json) {
    std::cout << JsonText(ComparisonJson(comparison), 2) << "\n";
  } else {
    std::cout << (arguments.csv ? ComparisonCsv(comparison) : ComparisonText(comparison));
  }
  return absl::OkStatus();
}

absl::Status RunProfile(const ProfileArguments& arguments) {
  if (!arguments.compared.empty()) return RunCompare(arguments);
  for (const std::string& output : {arguments.trace_out, arguments.report})
    WEFT_RETURN_IF_ERROR(CheckIsNoInput(output, arguments.model));
  WEFT_ASSIGN_OR_RETURN(const std::unique_ptr<Measured> measured,
                        Open(arguments, arguments.model.model));
  const Engine& engine = *measured->engine;
  ProfileReport& report = measured->report;
  for (int round = 0; round < std::max(1, arguments.rounds); ++round)
    WEFT_RETURN_IF_ERROR(AddRound(arguments, measured.get()));
  if (!arguments.no_roof) {
    WEFT_ASSIGN_OR_RETURN(const CpuFeatures cpu, UsableCpuFeatures());
    WEFT_ASSIGN_OR_RETURN(const codegen::Target target, codegen::ParseTarget(engine.target(), cpu));
    WEFT_ASSIGN_OR_RETURN(
        report.roofs,
        MeasureRoofs(engine.SettledWeights(), static_cast<int64_t>(engine.program().weight_bytes),
                     target, report.threads));
  }
  if (arguments.rounds > 1) {
    std::cout << JsonText(nlohmann::ordered_json{{"rounds", RoundsJson(arguments, measured.get())}},
                          2)
              << "\n";
    return absl::OkStatus();
  }
  report.phases = std::move(measured->rounds[0]);
  if (!arguments.trace_out.empty())
    WEFT_RETURN_IF_ERROR(WriteTrace(arguments.trace_out, engine, measured->recorder));
  if (!arguments.report.empty())
    WEFT_RETURN_IF_ERROR(WriteReport(arguments.report, engine, report, measured->recorder));
  const ProfileBy by = ByOf(arguments);
  if (arguments.json) {
    std::cout << JsonText(ProfileJson(report, by), 2) << "\n";
  } else {
    std::cout << (arguments.csv ? ProfileCsv(report, by) : ProfileText(report, by));
  }
  return absl::OkStatus();
}

// What CLI11 cannot check option by option.
void CheckUsage(const ProfileArguments& arguments) {
  const bool compares = !arguments.compared.empty();
  if (arguments.model.model.empty() != compares)
    throw CLI::ValidationError("profile", "takes a MODEL or PLAN, or --compare A B, one of them");
  if (arguments.rounds > 1 && !compares && !arguments.json)
    throw CLI::ValidationError("--rounds", "takes --compare, or --json to write them all");
  if (!arguments.report.empty() && arguments.report == arguments.trace_out)
    throw CLI::ValidationError("--report", "and --trace-out name the same file");
  if (!arguments.trace_out.empty() || !arguments.report.empty()) {
    if (compares || arguments.rounds > 1)
      throw CLI::ValidationError("profile", "--report and --trace-out show one round of one model");
  }
}

}  // namespace

void AddProfile(CLI::App* app, Command* chosen) {
  auto arguments = std::make_shared<ProfileArguments>();
  CLI::App* command = app->add_subcommand(
      "profile",
      "where the time of a prompt and of generation goes, beside what this machine can do");
  AddModelArgument(command, "MODEL|PLAN", &arguments->model);
  command->get_option("model")->required(false);
  command
      ->add_option("--compare", arguments->compared,
                   "instead of one: two models or plans, measured in turns, or two files that "
                   "profile --json wrote; row by row, with ratios")
      ->expected(2)
      ->type_name("A B");
  command
      ->add_option("--rounds", arguments->rounds,
                   absl::StrCat("rounds of prompt and generation: of each with --compare (default ",
                                kComparedRounds, "), or to write into one file with --json"))
      ->check(CLI::Range(1, 100))
      ->type_name("N");
  command
      ->add_option("-p,--prompt", arguments->generation.prompt,
                   "text, or how many made-up tokens (default 512)")
      ->type_name("TEXT|N");
  command
      ->add_option("-n,--predict", arguments->generation.count, "tokens to generate (default 64)")
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
  command->add_flag("--counters", arguments->counters,
                    "also count cycles, instructions, cache and TLB misses, page faults and "
                    "context switches of each op, as far as this machine permits");
  auto* json = command->add_flag("--json", arguments->json, "print JSON");
  command->add_flag("--csv", arguments->csv, "print CSV")->excludes(json);
  AddCompileOptions(command, &arguments->model);
  AddMemoryOptions(command, &arguments->model);
  command->callback([arguments, chosen, command] {
    CheckUsage(*arguments);
    arguments->measuring = FirstGivenBut(*command, {"--compare", "--json", "--csv"});
    *chosen = [arguments] { return RunProfile(*arguments); };
  });
}

}  // namespace weft::tools
