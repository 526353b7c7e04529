#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/base/read_file.h"
#include "runtime/base/status_macros.h"
#include "runtime/session.h"
#include "runtime/text/tokenizer.h"
#include "tools/arguments.h"
#include "tools/commands.h"
#include "tools/evaluate.h"
#include "tools/interrupt.h"
#include "tools/json_text.h"
#include "tools/progress.h"

namespace weft::tools {
namespace {

struct EvalArguments {
  ModelArguments model;
  std::string text;
  std::string against;
  bool no_reference = false;
  bool json = false;
  int threads = 0;
};

std::string Report(const EvalArguments& arguments, const TextScore& score, int64_t tokens,
                   int64_t windows, bool reference) {
  const double nll = score.MeanNll();
  // Of one possible token both are 0.
  const bool same = !reference || nll == score.MeanReferenceNll();
  const double change = same ? 0 : nll / score.MeanReferenceNll() - 1;
  nlohmann::ordered_json json = {{"tokens", tokens},
                                 {"windows", windows},
                                 {"positions", score.positions},
                                 {"mean_nll", nll},
                                 {"perplexity", std::exp(nll)}};
  if (reference) {
    json["reference_mean_nll"] = score.MeanReferenceNll();
    json["nll_change"] = change;
    json["mean_kl"] = score.MeanKl();
    json["top1_agreement"] = score.TopAgreement();
  }
  if (arguments.json) return JsonText(json, 2) + "\n";
  std::string text = absl::StrFormat(
      "tokens          %d in %d window%s, %d scored\nmean NLL        %.6f nats\nperplexity      "
      "%.4f\n",
      tokens, windows, windows == 1 ? "" : "s", score.positions, nll, std::exp(nll));
  if (reference) {
    absl::StrAppend(
        &text,
        absl::StrFormat("F32 mean NLL    %.6f nats (%+.4f %%)\nKL from F32     %.6f nats\nsame "
                        "top-1      %.2f %%\n",
                        score.MeanReferenceNll(), 100 * change, score.MeanKl(),
                        100 * score.TopAgreement()));
  }
  return text;
}

// A plan has one form, whichever that is.
absl::Status CheckIsModel(const std::string& against) {
  WEFT_ASSIGN_OR_RETURN(const std::shared_ptr<const Plan> plan, OpenIfPlan(against));
  if (plan == nullptr) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--against ", against, ": is a plan; give the model that it was compiled from"));
}

absl::Status RunEval(const EvalArguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const std::string text,
                        ReadFileToString(arguments.text, Tokenizer::kMaxTextBytes));
  ExecutorOptions executor{.cancel = InterruptFlag()};
  if (arguments.threads > 0) executor.threads = arguments.threads;
  WEFT_ASSIGN_OR_RETURN(const std::shared_ptr<const Plan> plan, OpenIfPlan(arguments.model));
  WEFT_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine,
                        OpenEngine(arguments.model, kLogitRows, executor));
  WEFT_ASSIGN_OR_RETURN(const std::shared_ptr<const Tokenizer> tokenizer, engine->tokenizer());
  WEFT_ASSIGN_OR_RETURN(const std::vector<int32_t> ids, tokenizer->Encode(text));
  if (ids.size() < 2)
    return absl::InvalidArgumentError(
        absl::StrCat(arguments.text, ": holds fewer than two tokens, so nothing to score"));

  // F32 of the same model stands beside what is not F32 itself; a plan does not know where its
  // model is.
  std::unique_ptr<Engine> reference;
  ModelArguments same = arguments.model;
  if (!arguments.against.empty()) same.model = arguments.against;
  const bool all_f32 = arguments.model.weights == "f32" && arguments.model.formats.empty() &&
                       (arguments.model.kv == "auto" || arguments.model.kv == "f32");
  const bool given = !arguments.against.empty();
  if (!arguments.no_reference && (given || (plan == nullptr && !all_f32))) {
    if (given) WEFT_RETURN_IF_ERROR(CheckIsModel(arguments.against));
    same.weights = "f32";
    same.kv = "f32";
    same.formats.clear();
    same.compile_options.clear();  // they may choose of a model, where `plan` would not follow
    same.cache = false;            // four times the size of what is used every day
    same.context = engine->executor().program().context;
    WEFT_ASSIGN_OR_RETURN(reference, OpenEngine(same, kLogitRows, executor));
    if (reference->executor().program().vocab != engine->executor().program().vocab) {
      return absl::InvalidArgumentError(
          absl::StrCat(same.model, ": has another vocabulary than ", arguments.model.model));
    }
  }
  const CatchInterrupts catching;
  Session session(&engine->executor());
  std::optional<Session> beside;
  if (reference != nullptr) beside.emplace(&reference->executor());
  TextScores scores;
  {
    ProgressBar bar;
    WEFT_ASSIGN_OR_RETURN(
        scores, EvaluateText(ids, beside ? &*beside : nullptr, {&session},
                             [&](uint64_t done) { bar.Update("evaluating", done, ids.size()); }));
  }
  std::cout << Report(arguments, scores.models[0], static_cast<int64_t>(ids.size()), scores.windows,
                      reference != nullptr);
  return absl::OkStatus();
}

}  // namespace

void AddEval(CLI::App* app, Command* chosen) {
  auto arguments = std::make_shared<EvalArguments>();
  CLI::App* command = app->add_subcommand("eval",
                                          "mean negative log-likelihood and perplexity of a text, "
                                          "and what the formats of weights and KV cache lose "
                                          "against F32");
  AddModelArgument(command, "MODEL|PLAN", &arguments->model);
  command
      ->add_option(
          "--text", arguments->text,
          "the text; longer than the context, it is taken in windows from an empty cache each")
      ->required()
      ->type_name("FILE");
  auto* against =
      command
          ->add_option(
              "--against", arguments->against,
              "the model whose F32 form to compare with (default: the same; of a plan, none)")
          ->type_name("MODEL");
  command->add_flag("--no-reference", arguments->no_reference, "do not compare with F32")
      ->excludes(against);
  AddThreadsOption(command, &arguments->threads);
  command->add_flag("--json", arguments->json, "print JSON");
  AddCompileOptions(command, &arguments->model);
  AddCacheOption(command, &arguments->model);
  AddMemoryOptions(command, &arguments->model);
  command->callback([arguments, chosen] { *chosen = [arguments] { return RunEval(*arguments); }; });
}

}  // namespace weft::tools
