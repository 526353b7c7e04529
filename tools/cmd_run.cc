#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/base/read_file.h"
#include "runtime/base/status_macros.h"
#include "runtime/c/command_line.h"
#include "runtime/chat_prompt.h"
#include "runtime/generate.h"
#include "runtime/sampling/sampler.h"
#include "runtime/sampling_advice.h"
#include "runtime/text/tokenizer.h"
#include "tools/arguments.h"
#include "tools/commands.h"
#include "tools/interrupt.h"
#include "tools/json_text.h"
#include "tools/profile_table.h"

namespace weft::tools {
namespace {

struct RunArguments {
  ModelArguments model;
  std::string prompt;
  std::string file;
  std::string system;
  int64_t count = -1;
  int threads = 0;
  SamplerOptions sampling;
  bool chat = false;
  bool ignore_eos = false;
  bool trace = false;
  bool json = false;
  CLI::App* command = nullptr;
};

absl::StatusOr<std::string> PromptText(const RunArguments& arguments) {
  if (arguments.command->count("--prompt") > 0) return arguments.prompt;
  if (!arguments.file.empty()) return ReadFileToString(arguments.file, Tokenizer::kMaxTextBytes);
  return ReadStdin();
}

// The ids of the prompt, through the model's chat template where asked for.
absl::StatusOr<std::vector<int32_t>> PromptIds(const RunArguments& arguments, const Engine& engine,
                                               const Tokenizer& tokenizer) {
  WEFT_ASSIGN_OR_RETURN(const std::string text, PromptText(arguments));
  if (!arguments.chat) return tokenizer.Encode(text);
  std::vector<ChatMessage> messages;
  if (!arguments.system.empty()) messages.push_back({"system", arguments.system});
  messages.push_back({"user", text});
  absl::StatusOr<std::string> rendered = ChatPrompt(arguments.model.model, engine.chat_template(),
                                                    engine.metadata(), tokenizer, messages);
  if (absl::IsNotFound(rendered.status())) {
    return absl::NotFoundError(
        absl::StrCat(rendered.status().message(), "; run it without --chat"));
  }
  if (!rendered.ok()) return rendered.status();
  return tokenizer.Encode(*rendered, kChatEncoding);
}

// Flags that were given win; else what the model's makers advise; else the defaults.
SamplerOptions SamplingOf(const RunArguments& arguments, const PlanMetadata& metadata) {
  SamplerOptions options = Advised(metadata.generation, arguments.sampling);
  const auto keep = [&](const char* flag, auto SamplerOptions::* value) {
    if (arguments.command->count(flag) > 0) options.*value = arguments.sampling.*value;
  };
  keep("--temp", &SamplerOptions::temperature);
  keep("--top-k", &SamplerOptions::top_k);
  keep("--top-p", &SamplerOptions::top_p);
  keep("--min-p", &SamplerOptions::min_p);
  keep("--repeat-penalty", &SamplerOptions::repeat_penalty);
  if (arguments.command->count("--seed") == 0) {
    options.seed =
        static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  }
  return options;
}

double Rate(size_t count, double ms) { return ms > 0 ? 1e3 * static_cast<double>(count) / ms : 0; }

const char* Name(StopReason reason) {
  switch (reason) {
    case StopReason::kStopId:
      return "end of text";
    case StopReason::kMaxTokens:
      return "-n";
    case StopReason::kContextEnd:
      return "end of the context (-c)";
    case StopReason::kCancelled:
      return "interruption";
  }
  return "";
}

void PrintTimes(const GenerateResult& result, double load_seconds) {
  std::cerr << absl::StrFormat(
      "\nload %.2f s; prompt %d tokens, %.1f tok/s; generated %d tokens, %.1f tok/s; ended by %s\n",
      load_seconds, result.prompt_tokens,
      Rate(static_cast<size_t>(result.prompt_tokens), result.prefill_ms), result.ids.size(),
      Rate(result.decode_ms.size(), result.TotalDecodeMs()), Name(result.stop_reason));
}

nlohmann::ordered_json ToJson(const GenerateResult& result, const std::vector<int32_t>& prompt,
                              const SamplerOptions& sampling, const std::string& plan,
                              double load_seconds) {
  return {{"text", result.text},
          {"ids", result.ids},
          {"prompt_ids", prompt},
          {"stop_reason", Name(result.stop_reason)},
          {"seed", sampling.seed},
          {"plan", plan.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(plan)},
          {"load_seconds", load_seconds},
          {"prefill_ms", result.prefill_ms},
          {"prefill_tokens_per_s", Rate(prompt.size(), result.prefill_ms)},
          {"decode_ms", result.TotalDecodeMs()},
          {"decode_tokens_per_s", Rate(result.decode_ms.size(), result.TotalDecodeMs())}};
}

// What `recorder` saw of the generation, with the times that are not of runs.
ProfileReport ReportOf(Engine& engine, const GenerateResult& result, ProfileRecorder* recorder) {
  const auto ns = [](double ms) { return static_cast<int64_t>(ms * 1e6); };
  for (PhaseProfile& phase : recorder->phases()) {
    const bool decodes = phase.name == "decode";
    phase.choosing_ns = ns(decodes ? result.choosing_ms : result.first_choosing_ms);
    phase.text_ns = decodes ? ns(result.text_ms) : 0;
    phase.wall_ns = decodes ? ns(result.TotalDecodeMs() + result.text_ms) : ns(result.prefill_ms);
  }
  ProfileReport report = ReportFor(engine, engine.executor());
  report.phases = recorder->phases();
  return report;
}

absl::Status RunRun(const RunArguments& arguments) {
  const auto start = std::chrono::steady_clock::now();
  ProfileRecorder recorder;
  ExecutorOptions executor{.cancel = InterruptFlag()};
  if (arguments.trace) executor.on_run = recorder.OnRun();
  if (arguments.threads > 0) executor.threads = arguments.threads;
  WEFT_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine,
                        OpenEngine(arguments.model, 1, executor));
  if (Interrupted()) return absl::CancelledError("interrupted");
  WEFT_ASSIGN_OR_RETURN(const std::shared_ptr<const Tokenizer> tokenizer, engine->tokenizer());
  WEFT_ASSIGN_OR_RETURN(const std::vector<int32_t> prompt,
                        PromptIds(arguments, *engine, *tokenizer));
  WEFT_RETURN_IF_ERROR(engine->CheckWhole());
  if (prompt.empty())
    return absl::InvalidArgumentError(
        "the prompt holds no token: give some text with -p, -f or on standard input");
  const SamplerOptions sampling = SamplingOf(arguments, engine->metadata());
  WEFT_ASSIGN_OR_RETURN(Sampler sampler, Sampler::Create(sampling));
  const double load_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  recorder.SetExecutor(&engine->executor());
  if (arguments.trace) {
    WEFT_ASSIGN_OR_RETURN(const ir::Module module, engine->Module());
    recorder.SetCache(CachedLayersOf(module));
  }
  recorder.Begin("prefill", static_cast<int64_t>(prompt.size()));
  const CatchInterrupts catching;
  Session session(&engine->executor());
  StreamDecoder decoder(*tokenizer, /*skip_special=*/true);
  const GenerateOptions options{arguments.count, engine->metadata().eos_ids, arguments.ignore_eos};
  const auto print = [&](absl::string_view text) {
    if (!arguments.json) std::cout << std::string(text) << std::flush;
    return std::cout ? absl::OkStatus()
                     : absl::DataLossError("cannot write the output: is the disk full?");
  };
  WEFT_ASSIGN_OR_RETURN(const GenerateResult result,
                        Generate(session, prompt, options, sampler, decoder, print));
  if (arguments.json) {
    nlohmann::ordered_json json =
        ToJson(result, prompt, sampling, engine->plan_path(), load_seconds);
    if (arguments.trace)
      json["trace"] = ProfileJson(ReportOf(*engine, result, &recorder), ProfileBy::kOp);
    std::cout << JsonText(json, 2) << "\n";
  } else {
    std::cout << "\n" << std::flush;
    PrintTimes(result, load_seconds);
    if (arguments.trace)
      std::cout << "\n" << ProfileText(ReportOf(*engine, result, &recorder), ProfileBy::kOp);
  }
  return result.stop_reason == StopReason::kCancelled ? absl::CancelledError("interrupted")
                                                      : absl::OkStatus();
}

void AddSamplingOptions(CLI::App* command, SamplerOptions* sampling) {
  command
      ->add_option("--temp", sampling->temperature,
                   "temperature; 0 takes the most likely token (default: the model's, else 0.8)")
      ->check(kTemperature)
      ->type_name("T");
  command
      ->add_option("--top-k", sampling->top_k,
                   "sample from the K most likely; 0: all (default: the model's, else 40)")
      ->check(kCount)
      ->type_name("K");
  command
      ->add_option(
          "--top-p", sampling->top_p,
          "sample from the most likely that reach P together (default: the model's, else 0.95)")
      ->check(kTopP)
      ->type_name("P");
  command
      ->add_option("--min-p", sampling->min_p,
                   "sample from those at least P times as likely as the best (default: the "
                   "model's, else 0.05)")
      ->check(kMinP)
      ->type_name("P");
  command
      ->add_option("--repeat-penalty", sampling->repeat_penalty,
                   "penalty on recent tokens; 1: off (default: the model's, else 1)")
      ->check(NumberFrom(kLeastAboveZero, kMostFinite, "above 0, and finite"))
      ->type_name("X");
  command
      ->add_option("--repeat-last-n", sampling->repeat_last_n,
                   "how many tokens are recent (default 64)")
      ->check(kCount)
      ->type_name("N");
  command->add_option("-s,--seed", sampling->seed, "seed of the sampler (default: the time)")
      ->check(kSeed)
      ->type_name("SEED");
}

}  // namespace

void AddRun(CLI::App* app, Command* chosen) {
  auto arguments = std::make_shared<RunArguments>();
  CLI::App* command = app->add_subcommand("run", "generate text");
  arguments->command = command;
  AddModelArgument(command, "MODEL|PLAN", &arguments->model);
  auto* prompt =
      command->add_option("-p,--prompt", arguments->prompt, "the prompt (default: standard input)")
          ->type_name("TEXT");
  command->add_option("-f,--file", arguments->file, "read the prompt from a file")
      ->type_name("FILE")
      ->excludes(prompt);
  command
      ->add_option(
          "-n,--predict", arguments->count,
          "tokens to generate; -1: until the model ends or the context is full (default -1)")
      ->check(CLI::Range(int64_t{-1}, int64_t{1} << 30))
      ->type_name("N");
  AddThreadsOption(command, &arguments->threads);
  auto* chat =
      command->add_flag("--chat", arguments->chat,
                        "put the prompt into the model's chat template, as the user's message");
  command->add_option("--system", arguments->system, "with --chat: the system's message")
      ->type_name("TEXT")
      ->needs(chat);
  command->add_flag("--ignore-eos", arguments->ignore_eos, "go on after the model ends its text");
  command->add_flag("--trace", arguments->trace,
                    "then print where the time went: a row per kind of step");
  command->add_flag("--json", arguments->json,
                    "print one JSON object at the end instead of text as it comes");
  AddSamplingOptions(command, &arguments->sampling);
  AddCompileOptions(command, &arguments->model);
  AddCacheOption(command, &arguments->model);
  AddMemoryOptions(command, &arguments->model);
  command->callback([arguments, chosen] { *chosen = [arguments] { return RunRun(*arguments); }; });
}

}  // namespace weft::tools
