#include <algorithm>
#include <iostream>
#include <limits>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/base/cpu.h"
#include "runtime/base/memory_room.h"
#include "runtime/base/read_file.h"
#include "runtime/base/status_macros.h"
#include "runtime/c/command_line.h"
#include "runtime/profile.h"
#include "runtime/session.h"
#include "runtime/text/tokenizer.h"
#include "tools/arguments.h"
#include "tools/commands.h"
#include "tools/explore.h"
#include "tools/interrupt.h"
#include "tools/json_text.h"
#include "tools/progress.h"

namespace weft::tools {
namespace {

// Scored where no text is given: plain prose, enough to tell formats apart, few enough tokens that
// it takes a second.
constexpr char kSampleText[] =
    "The harbour had been quiet since the herring left. On most mornings a single boat went out, "
    "and by noon it was back with half a crate of mackerel and the news that nothing had changed "
    "beyond the lighthouse. Anna kept the books of the cooperative in a green ledger, one line for "
    "each boat and each day, and it was she who first noticed that the numbers were rising again. "
    "In March they had landed forty kilograms in a week; in April it was ninety, and in the first "
    "days of May the small crane on the pier, which nobody had used for two years, had to be oiled "
    "before it would turn.\n\n"
    "Nobody could say why. The old men believed that the water was colder, as it had been when "
    "they "
    "were boys. A biologist who came from the university with a box of bottles and a patient "
    "assistant explained that cold water carries more oxygen, that small animals thrive in it, and "
    "that fish follow what they eat. She took samples at three depths, wrote the time on each "
    "label, "
    "and asked whether anyone had kept a record of the temperature. Anna opened the ledger at the "
    "first page. Her father had written it in the margin every day for thirty years: wind, "
    "temperature of the water, and whether the dog had wanted to come along.\n\n"
    "They spent the afternoon copying the figures. When the light began to fail, the biologist "
    "drew "
    "a curve through them and turned the paper round so that everyone could see. It went down, "
    "slowly, then up for a long time, and at the very end, as if it had only been waiting for "
    "somebody to look, it went down once more.\n";

struct ExploreArguments {
  ModelArguments model;
  ExploredOptions options;
  std::string text;
  bool no_score = false;
  double kl_margin = 0.01;
  int64_t prompt = 128;
  int64_t count = 64;
  int rounds = 9;
  int threads = 0;
  bool json = false;
};

bool IsSame(const CompiledModel& a, const CompiledModel& b) {
  const auto formats = [](const CompiledModel& compiled) {
    std::vector<std::pair<std::string, DataType>> result;
    for (const passes::FormatDecision& decision : compiled.decisions)
      result.emplace_back(decision.location, decision.format);
    return result;
  };
  return a.program == b.program && a.codes[0].object == b.codes[0].object &&
         formats(a) == formats(b);
}

// A variant ready to run.
struct Runner {
  std::unique_ptr<Engine> engine;
  std::vector<double> prefill;  // tokens per second, one a round
  std::vector<double> decode;
};

class Explorer {
 public:
  explicit Explorer(const ExploreArguments& arguments) : arguments_(arguments) {
    executor_.cancel = InterruptFlag();
    if (arguments.threads > 0) executor_.threads = arguments.threads;
  }

  absl::StatusOr<Exploration> Run() {
    WEFT_ASSIGN_OR_RETURN(std::vector<Variant> variants,
                          Variants(arguments_.model, arguments_.options));
    WEFT_ASSIGN_OR_RETURN(model_, OpenModel(arguments_.model));
    const int64_t needed = arguments_.prompt + arguments_.count;
    if (needed > model_->context) {
      return absl::InvalidArgumentError(
          absl::StrCat("-p ", arguments_.prompt, " and -n ", arguments_.count, " take ", needed,
                       " positions, more than the context of ", model_->context, " (-c)"));
    }
    if (!arguments_.no_score) WEFT_RETURN_IF_ERROR(ReadText());
    const CatchInterrupts catching;
    WEFT_RETURN_IF_ERROR(Compile(variants));
    WEFT_RETURN_IF_ERROR(Load());
    if (!arguments_.no_score) WEFT_RETURN_IF_ERROR(Score());
    WEFT_RETURN_IF_ERROR(Measure());
    return Finish();
  }

 private:
  absl::Status ReadText() {
    std::string text = kSampleText;
    if (!arguments_.text.empty()) {
      WEFT_ASSIGN_OR_RETURN(text, ReadFileToString(arguments_.text, Tokenizer::kMaxTextBytes));
    }
    if (!model_->tokenizer.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("no text can be scored (--no-score leaves that out): ",
                       model_->tokenizer.status().message()));
    }
    WEFT_ASSIGN_OR_RETURN(ids_, (*model_->tokenizer)->Encode(text));
    if (ids_.size() < 2) {
      return absl::InvalidArgumentError(
          absl::StrCat(arguments_.text, ": holds fewer than two tokens, so nothing to score"));
    }
    exploration_.text = arguments_.text.empty() ? "a built-in text" : arguments_.text;
    return absl::OkStatus();
  }

  absl::StatusOr<CompiledModel> CompileOne(const ModelArguments& arguments) {
    WEFT_ASSIGN_OR_RETURN(CompileSettings settings, SettingsOf(arguments));
    settings.pipeline.pass.max_logit_rows = std::min(kLogitRows, settings.pipeline.pass.max_tokens);
    settings.cancel = executor_.cancel;
    return CompileAsAsked(*model_, arguments, settings);
  }

  // All variants, those that differ to be loaded; the base once more; F32 where it is needed.
  absl::Status Compile(const std::vector<Variant>& variants) {
    for (size_t i = 0; i < variants.size(); ++i) {
      bar_.UpdateCount("compiling", i, variants.size());
      absl::StatusOr<CompiledModel> compiled = CompileOne(variants[i].arguments);
      if (!compiled.ok()) {
        return absl::Status(compiled.status().code(),
                            absl::StrCat(variants[i].name, ": ", compiled.status().message()));
      }
      ExploredVariant& variant =
          exploration_.variants.emplace_back(ExploredVariant{.name = variants[i].name});
      for (size_t other = 0; other < compiled_.size() && variant.same_as < 0; ++other) {
        if (IsSame(compiled_[other], *compiled)) variant.same_as = static_cast<int>(place_[other]);
      }
      if (variant.same_as >= 0) continue;
      const Program& program = compiled->program;
      variant.weight_bytes = static_cast<int64_t>(program.weight_bytes);
      variant.kv_bytes = static_cast<int64_t>(program.kv_bytes);
      variant.arena_bytes = static_cast<int64_t>(program.arena_bytes);
      variant.code_bytes = static_cast<int64_t>(compiled->codes[0].object.size());
      compiled_.push_back(*std::move(compiled));
      place_.push_back(i);
    }
    WEFT_ASSIGN_OR_RETURN(CompiledModel control, CompileOne(variants[0].arguments));
    compiled_.push_back(std::move(control));
    if (arguments_.no_score) return absl::OkStatus();
    ModelArguments f32 = arguments_.model;
    f32.weights = "f32";
    f32.kv = "f32";
    WEFT_ASSIGN_OR_RETURN(CompiledModel reference, CompileOne(f32));
    compiled_.push_back(std::move(reference));
    return absl::OkStatus();
  }

  absl::Status Load() {
    uint64_t needed = 0;
    for (const CompiledModel& compiled : compiled_) {
      const Program& program = compiled.program;
      needed += program.weight_bytes + program.kv_bytes + program.arena_bytes;
    }
    if (const uint64_t available = FindMemoryRoom().available; needed > available) {
      return absl::ResourceExhaustedError(absl::StrFormat(
          "all variants at once, with the base twice%s, take %.1f GB of memory, and %.1f are "
          "available: take fewer values%s, or a smaller context (-c)",
          arguments_.no_score ? "" : " and F32 to compare with", static_cast<double>(needed) / 1e9,
          static_cast<double>(available) / 1e9, arguments_.no_score ? "" : ", or --no-score"));
    }
    for (CompiledModel& compiled : compiled_) {
      const EngineOptions options{
          executor_,
          [this](uint64_t done, uint64_t total) { bar_.Update("packing weights", done, total); },
          {.lock = arguments_.model.mlock}};
      Runner& runner = runners_.emplace_back();
      WEFT_ASSIGN_OR_RETURN(runner.engine,
                            Engine::FromModel(*model_, std::move(compiled), options));
    }
    exploration_.model = runners_[0].engine->metadata().model;
    exploration_.cpu = CpuModelName();
    exploration_.threads = runners_[0].engine->executor().threads();
    compiled_.clear();
    return absl::OkStatus();
  }

  // All variants beside F32, which then goes.
  absl::Status Score() {
    std::vector<Session> sessions;
    sessions.reserve(runners_.size());
    for (const Runner& runner : runners_) sessions.emplace_back(&runner.engine->executor());
    std::vector<Session*> models;
    for (size_t i = 0; i < place_.size(); ++i) models.push_back(&sessions[i]);
    WEFT_ASSIGN_OR_RETURN(const TextScores scores,
                          EvaluateText(ids_, &sessions.back(), models, [this](uint64_t done) {
                            bar_.UpdateCount("tokens scored", done, ids_.size());
                          }));
    for (size_t i = 0; i < place_.size(); ++i)
      exploration_.variants[place_[i]].score = scores.models[i];
    sessions.clear();
    runners_.pop_back();
    return absl::OkStatus();
  }

  // Tokens per second of a prompt and of a generation.
  absl::Status Turn(int64_t count, Runner* runner) const {
    Session session(&runner->engine->executor());
    std::vector<int32_t> ids;
    for (int64_t i = 0; i < arguments_.prompt; ++i)
      ids.push_back(static_cast<int32_t>((i * 7919 + 11) % session.vocab()));
    const auto speed = [](int64_t tokens, int64_t begin) {
      return static_cast<double>(tokens) * 1e9 / static_cast<double>(NowNs() - begin);
    };
    int64_t begin = NowNs();
    WEFT_RETURN_IF_ERROR(session.Prefill(ids));
    runner->prefill.push_back(speed(arguments_.prompt, begin));
    begin = NowNs();
    for (int64_t i = 0; i < count; ++i) WEFT_RETURN_IF_ERROR(session.Decode(session.Argmax()));
    runner->decode.push_back(speed(count, begin));
    return absl::OkStatus();
  }

  absl::Status Measure() {
    for (Runner& runner : runners_) {
      WEFT_RETURN_IF_ERROR(Turn(1, &runner));  // faults in what the first run does
      runner.prefill.clear();
      runner.decode.clear();
    }
    const size_t turns = runners_.size();
    for (int round = 0; round < arguments_.rounds; ++round) {
      bar_.UpdateCount("rounds", static_cast<uint64_t>(round),
                       static_cast<uint64_t>(arguments_.rounds));
      // Every other round goes backwards, so that a machine that grows slower favours nobody.
      for (size_t turn = 0; turn < turns; ++turn) {
        const size_t place = round % 2 == 0 ? turn : turns - 1 - turn;
        WEFT_RETURN_IF_ERROR(Turn(arguments_.count, &runners_[place]));
      }
    }
    return absl::OkStatus();
  }

  Exploration Finish() {
    exploration_.prompt = arguments_.prompt;
    exploration_.generated = arguments_.count;
    exploration_.kl_margin = arguments_.kl_margin;
    for (size_t i = 0; i < place_.size(); ++i) {
      exploration_.variants[place_[i]].prefill = std::move(runners_[i].prefill);
      exploration_.variants[place_[i]].decode = std::move(runners_[i].decode);
    }
    exploration_.control_prefill = std::move(runners_.back().prefill);
    exploration_.control_decode = std::move(runners_.back().decode);
    return std::move(exploration_);
  }

  const ExploreArguments& arguments_;
  ExecutorOptions executor_;
  ProgressBar bar_;
  std::optional<Model> model_;
  std::vector<int32_t> ids_;
  // Those that differ, the base once more, F32 where a text is scored.
  std::vector<CompiledModel> compiled_;
  std::vector<Runner> runners_;
  std::vector<size_t> place_;  // of those that differ, among the variants
  Exploration exploration_;
};

absl::Status RunExplore(const ExploreArguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const Exploration exploration, Explorer(arguments).Run());
  if (arguments.json) {
    std::cout << JsonText(ExplorationJson(exploration), 2) << "\n";
  } else {
    std::cout << ExplorationText(exploration);
  }
  return absl::OkStatus();
}

template <typename T>
CLI::Option* AddList(CLI::App* command, const std::string& name, std::vector<T>* values,
                     const std::string& help, const std::string& type) {
  return command->add_option(name, *values, help)
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name(type);
}

void AddExploredOptions(CLI::App* command, ExploredOptions* options) {
  AddList(command, "--q8-threshold", &options->q8_thresholds,
          "under --weights auto, float weights with max(in, out) from here on become q8_0",
          "N[,N...]")
      ->check(CLI::Range(0, std::numeric_limits<int32_t>::max()));
  AddList(command, "--weights", &options->weights, "weight formats: auto, f32, q8_0",
          "MODE[,MODE...]")
      ->check(CLI::IsMember({"auto", "f32", "q8_0"}));
  AddList(command, "--kv", &options->kv, "what the KV cache holds: auto, f32, f16, q8_0",
          "FORMAT[,FORMAT...]")
      ->check(CLI::IsMember({"auto", "f32", "f16", "q8_0"}));
  AddList(command, "--target", &options->targets,
          "host, x86-64-v3, avx-vnni, avx512-vnni, amx-int8: what this CPU can execute of them",
          "TARGET[,TARGET...]");
  AddList(command, "--disable-pass", &options->disabled,
          "optional passes, each against not disabling it", "PASS[,PASS...]");
  AddList(command, "--weight-format", &options->formats,
          "formats of weights by name, each against leaving it out: 'lm_head=f32'",
          "PATTERN=FORMAT[,...]");
}

}  // namespace

void AddExplore(CLI::App* app, Command* chosen) {
  auto arguments = std::make_shared<ExploreArguments>();
  CLI::App* command = app->add_subcommand(
      "explore",
      "compile a model in several ways, measure them in turns, and say which to adopt: all "
      "combinations of the values given, against the default; a single value holds for all");
  AddModelArgument(command, "MODEL", &arguments->model);
  AddExploredOptions(command, &arguments->options);
  command
      ->add_option("-c,--ctx-size", arguments->model.context,
                   "positions of the KV cache (default: the model's, at most 4096)")
      ->check(CLI::Range(int64_t{1}, kMostPositions))
      ->type_name("CTX");
  command
      ->add_option("-b,--batch-size", arguments->model.max_tokens,
                   "most tokens that prefill takes at once (default 512)")
      ->check(CLI::Range(1, 8192))
      ->type_name("N");
  constexpr int64_t kMost = int64_t{1} << 24;  // far above any context
  command->add_option("-p,--n-prompt", arguments->prompt, "tokens of the prompt (default 128)")
      ->check(CLI::Range(int64_t{1}, kMost))
      ->type_name("N");
  command->add_option("-n,--n-gen", arguments->count, "tokens to generate (default 64)")
      ->check(CLI::Range(int64_t{1}, kMost))
      ->type_name("N");
  command
      ->add_option("-r,--rounds", arguments->rounds,
                   "rounds in turns (default 9; with fewer than 5 no difference counts as more "
                   "than noise)")
      ->check(CLI::Range(1, 1000))
      ->type_name("N");
  AddThreadsOption(command, &arguments->threads);
  auto* text = command->add_option("--text,--file", arguments->text,
                                   "what to score accuracy on (default: a short built-in text)");
  text->type_name("FILE");
  command->add_flag("--no-score", arguments->no_score, "do not measure accuracy")->excludes(text);
  command
      ->add_option("--kl-margin", arguments->kl_margin,
                   "adopt nothing whose mean KL divergence from F32, in nats, is by more above the "
                   "least (default 0.01)")
      ->check(NumberFrom(0, kMostFinite, "0 or more, and finite"))
      ->type_name("X");
  command->add_flag("--mlock", arguments->model.mlock, "keep the weights in memory");
  command->add_flag("--json", arguments->json, "print JSON");
  command->callback(
      [arguments, chosen] { *chosen = [arguments] { return RunExplore(*arguments); }; });
}

}  // namespace weft::tools
