#include <iostream>
#include <set>

#include "absl/strings/str_cat.h"
#include "runtime/base/cpu.h"
#include "runtime/base/status_macros.h"
#include "tools/arguments.h"
#include "tools/bench_matmul.h"
#include "tools/bench_model.h"
#include "tools/bench_report.h"
#include "tools/bench_roof.h"
#include "tools/bench_stats.h"
#include "tools/commands.h"
#include "tools/json_text.h"
#include "tools/progress.h"

namespace weft::tools {
namespace {

struct BenchArguments {
  ModelArguments model;
  ModelBenchOptions options;
  std::string matmul;
  std::string format = "q8_0";
  std::string output = "md";
  int repetitions = 0;  // 0: not given
  bool json = false;
};

// Rounds of --matmul, which are short.
constexpr int kMatmulRounds = 15;

absl::Status RunMatmul(const BenchArguments& arguments) {
  MatmulBenchOptions options{.target = arguments.model.target,
                             .threads = arguments.options.threads[0]};
  options.format = arguments.format == "f32" ? DataType::kF32 : DataType::kQ8_0;
  options.rounds = arguments.repetitions > 0 ? arguments.repetitions : kMatmulRounds;
  WEFT_RETURN_IF_ERROR(ParseMatmulShape(arguments.matmul, &options));
  WEFT_ASSIGN_OR_RETURN(const MatmulBenchResult result, RunMatmulBench(options));
  if (arguments.output == "json") {
    std::cout << JsonText(MatmulBenchJson(result), 2) << "\n";
  } else {
    std::cout << MatmulBenchText(result);
  }
  return CheckRoofShare(result.roof_share);
}

absl::Status RunModel(const BenchArguments& arguments) {
  ModelArguments model = arguments.model;
  ModelBenchOptions options = arguments.options;
  if (arguments.repetitions > 0) options.repetitions = arguments.repetitions;
  const int64_t needed = options.Context();
  if (model.context == 0) model.context = needed;
  if (model.context < needed) {
    return absl::InvalidArgumentError(absl::StrCat("the tests need a context of ", needed,
                                                   " tokens, more than -c ", model.context));
  }
  int64_t logit_rows = 1;
  for (int64_t tokens : options.steps) logit_rows = std::max(logit_rows, tokens);
  // The measured executors are the bench's own.
  WEFT_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine,
                        OpenEngine(model, logit_rows, {.threads = 0}));
  const Program& program = engine->program();
  if (needed > program.context) {
    return absl::InvalidArgumentError(absl::StrCat(model.model, ": was compiled for a context of ",
                                                   program.context, " tokens; the tests need ",
                                                   needed, ": compile again with -c ", needed));
  }
  for (int64_t tokens : options.steps) {
    if (tokens <= program.max_logit_rows) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("--step-tokens ", tokens, ": the program gives ", program.max_logit_rows,
                     " rows of logits at once (--logit-rows of compile, -b)"));
  }
  ModelBenchResult result;
  {
    ProgressBar bar;
    options.progress = [&bar](const std::string& what, uint64_t done, uint64_t total) {
      bar.UpdateCount(what, done, total);
    };
    WEFT_ASSIGN_OR_RETURN(result, RunModelBench(*engine, options));
  }
  if (arguments.output == "json") {
    std::cout << JsonText(BenchJson(result), 2) << "\n";
  } else {
    std::cout << (arguments.output == "csv" ? BenchCsv(result) : BenchMarkdown(result));
  }
  for (const BenchResult& test : result.tests) {
    if (absl::Status status = CheckRoofShare(Median(test.roof_shares)); !status.ok()) {
      return absl::Status(status.code(), absl::StrCat(test.test.Name(), ": ", status.message()));
    }
  }
  return absl::OkStatus();
}

absl::Status RunBench(BenchArguments arguments) {
  if (arguments.json) arguments.output = "json";
  if (arguments.options.threads.empty()) arguments.options.threads = {UsableCpus()};
  return arguments.matmul.empty() ? RunModel(arguments) : RunMatmul(arguments);
}

// What CLI11 cannot check option by option.
void CheckUsage(const CLI::App& command, const BenchArguments& arguments) {
  if (arguments.model.model.empty() == arguments.matmul.empty())
    throw CLI::ValidationError("bench", "takes a MODEL or --matmul, one of them");
  if (!arguments.matmul.empty() && arguments.options.threads.size() > 1)
    throw CLI::ValidationError("--threads", "--matmul takes one number of threads");
  if (!arguments.matmul.empty() && arguments.output == "csv")
    throw CLI::ValidationError("--output", "--matmul prints md or json");
  if (arguments.matmul.empty() && command.count("--format") > 0)
    throw CLI::ValidationError("--format", "is for --matmul");
  const std::string given = FirstGivenBut(
      command, {"--matmul", "--format", "--threads", "--rounds", "--output", "--json", "--target"});
  if (!arguments.matmul.empty() && !given.empty())
    throw CLI::ValidationError(given, "is for models");
  if (arguments.matmul.empty() && arguments.options.Tests().empty())
    throw CLI::ValidationError("bench", "no test: give -p, -n or --step-tokens above 0");
}

template <typename T>
CLI::Option* AddList(CLI::App* command, const std::string& names, std::vector<T>* values, T least,
                     T most, const std::string& help) {
  return command->add_option(names, *values, help)
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::Range(least, most))
      ->type_name("N[,N...]");
}

}  // namespace

void AddBench(CLI::App* app, Command* chosen) {
  auto arguments = std::make_shared<BenchArguments>();
  CLI::App* command = app->add_subcommand(
      "bench",
      "time a model (prompt, generation, steps over a few tokens) or one matmul, beside the "
      "fastest plain reader of the same weights");
  AddModelArgument(command, "MODEL|PLAN", &arguments->model);
  command->get_option("model")->required(false);
  ModelBenchOptions& options = arguments->options;
  // Bounds far above any context, so that sums of them cannot overflow.
  constexpr int64_t kMost = int64_t{1} << 24;
  AddList<int64_t>(command, "-p,--n-prompt", &options.prompts, 0, kMost,
                   "tokens of a prompt; 0: no such test (default 512)");
  AddList<int64_t>(command, "-n,--n-gen", &options.generations, 0, kMost,
                   "tokens to generate; 0: no such test (default 128)");
  AddList<int64_t>(command, "-d,--n-depth", &options.depths, 0, kMost,
                   "tokens before each test (default 0)");
  AddList<int64_t>(command, "--step-tokens", &options.steps, 1, 8192,
                   "time one step over so many tokens, with logits for all of them, against a step "
                   "over one");
  AddList<int>(command, "-t,--threads", &options.threads, 1, 1024,
               "worker threads (default: the CPUs this process may use)");
  command
      ->add_option("-r,--repetitions,--rounds", arguments->repetitions,
                   "repetitions of each test, the roof measured before and after each (default 5, "
                   "and 15 for --matmul)")
      ->check(CLI::Range(1, 1000))
      ->type_name("N");
  command->add_flag("--profile", options.profile,
                    "then run each test once more with the profiler on, and print where the time "
                    "went");
  command
      ->add_option("--matmul", arguments->matmul,
                   "instead of a model, one matmul: out, in and tokens (T default 1)")
      ->type_name("N,K[,T]");
  command
      ->add_option("--format", arguments->format,
                   "of --matmul's weights: f32 or q8_0 (default q8_0)")
      ->check(CLI::IsMember({"f32", "q8_0"}))
      ->type_name("FORMAT");
  auto* output =
      command->add_option("-o,--output", arguments->output, "md, json or csv (default md)")
          ->check(CLI::IsMember({"md", "json", "csv"}))
          ->type_name("FORMAT");
  command->add_flag("--json", arguments->json, "the same as -o json")->excludes(output);
  AddCompileOptions(command, &arguments->model);
  AddMemoryOptions(command, &arguments->model);
  command->callback([arguments, chosen, command] {
    CheckUsage(*command, *arguments);
    *chosen = [arguments] { return RunBench(*arguments); };
  });
}

}  // namespace weft::tools
