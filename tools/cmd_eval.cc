#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/base/read_file.h"
#include "runtime/base/status_macros.h"
#include "runtime/session.h"
#include "tools/arguments.h"
#include "tools/commands.h"
#include "tools/interrupt.h"
#include "tools/progress.h"

namespace weft::tools {
namespace {

// Bounds what a mistaken --text may read; no text for this purpose is larger.
constexpr uint64_t kMaxTextBytes = 256 << 20;

struct EvalArguments {
  ModelArguments model;
  std::string text;
  std::string against;
  bool no_reference = false;
  bool json = false;
  int threads = 0;
};

// Sums over the positions that have a token before them.
struct Sums {
  int64_t positions = 0;
  double nll = 0;
  double reference_nll = 0;
  double kl = 0;
  int64_t same_top = 0;
};

struct LogSoftmax {
  double log_sum = 0;  // of exp(logit)
  size_t top = 0;
};

LogSoftmax Reduce(absl::Span<const float> logits) {
  LogSoftmax result;
  for (size_t i = 1; i < logits.size(); ++i) {
    if (logits[i] > logits[result.top]) result.top = i;
  }
  const double highest = logits[result.top];
  double sum = 0;
  for (float logit : logits) sum += std::exp(logit - highest);
  result.log_sum = highest + std::log(sum);
  return result;
}

// KL(reference || model) in nats.
double Divergence(absl::Span<const float> reference, const LogSoftmax& p,
                  absl::Span<const float> model, const LogSoftmax& q) {
  double kl = 0;
  for (size_t i = 0; i < reference.size(); ++i) {
    const double log_p = reference[i] - p.log_sum;
    kl += std::exp(log_p) * (log_p - (model[i] - q.log_sum));
  }
  return kl;
}

// One window of the text, from an empty cache, in blocks so that both models' logits are at hand
// together.
absl::Status EvaluateWindow(absl::Span<const int32_t> ids, Session* model, Session* reference,
                            Sums* sums) {
  model->Reset();
  if (reference != nullptr) reference->Reset();
  for (size_t begin = 0; begin < ids.size(); begin += kLogitRows) {
    const auto block = ids.subspan(begin, kLogitRows);
    std::vector<float> expected;
    if (reference != nullptr) {
      WEFT_RETURN_IF_ERROR(reference->PrefillWithLogits(
          block, [&](int64_t /*position*/, absl::Span<const float> logits) {
            expected.insert(expected.end(), logits.begin(), logits.end());
            return absl::OkStatus();
          }));
    }
    WEFT_RETURN_IF_ERROR(
        model->PrefillWithLogits(block, [&](int64_t position, absl::Span<const float> logits) {
          const size_t next = static_cast<size_t>(position) + 1;
          if (next >= ids.size()) return absl::OkStatus();
          const LogSoftmax q = Reduce(logits);
          ++sums->positions;
          sums->nll += q.log_sum - logits[ids[next]];
          if (reference == nullptr) return absl::OkStatus();
          const auto row = absl::MakeConstSpan(expected).subspan(
              (static_cast<size_t>(position) - begin) * logits.size(), logits.size());
          const LogSoftmax p = Reduce(row);
          sums->reference_nll += p.log_sum - row[ids[next]];
          sums->kl += Divergence(row, p, logits, q);
          sums->same_top += p.top == q.top ? 1 : 0;
          return absl::OkStatus();
        }));
  }
  return absl::OkStatus();
}

std::string Report(const EvalArguments& arguments, const Sums& sums, int64_t tokens,
                   int64_t windows, bool reference) {
  const auto count = static_cast<double>(sums.positions);
  nlohmann::ordered_json json = {{"tokens", tokens},
                                 {"windows", windows},
                                 {"positions", sums.positions},
                                 {"mean_nll", sums.nll / count},
                                 {"perplexity", std::exp(sums.nll / count)}};
  if (reference) {
    json["reference_mean_nll"] = sums.reference_nll / count;
    json["nll_change"] = sums.nll / sums.reference_nll - 1;
    json["mean_kl"] = sums.kl / count;
    json["top1_agreement"] = static_cast<double>(sums.same_top) / count;
  }
  if (arguments.json) return json.dump(2) + "\n";
  std::string text = absl::StrFormat(
      "tokens          %d in %d window%s, %d scored\nmean NLL        %.6f nats\nperplexity      "
      "%.4f\n",
      tokens, windows, windows == 1 ? "" : "s", sums.positions, sums.nll / count,
      std::exp(sums.nll / count));
  if (reference) {
    absl::StrAppend(
        &text,
        absl::StrFormat("F32 mean NLL    %.6f nats (%+.4f %%)\nKL from F32     %.6f nats\nsame "
                        "top-1      %.2f %%\n",
                        sums.reference_nll / count, 100 * (sums.nll / sums.reference_nll - 1),
                        sums.kl / count, 100.0 * static_cast<double>(sums.same_top) / count));
  }
  return text;
}

absl::Status RunEval(const EvalArguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const std::string text, ReadFileToString(arguments.text, kMaxTextBytes));
  ExecutorOptions executor{.cancel = InterruptFlag()};
  if (arguments.threads > 0) executor.threads = arguments.threads;
  WEFT_ASSIGN_OR_RETURN(const std::shared_ptr<const Plan> plan, OpenIfPlan(arguments.model.model));
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
  const bool known = plan == nullptr || !arguments.against.empty();
  if (!arguments.no_reference && known && (plan != nullptr || !all_f32)) {
    same.weights = "f32";
    same.kv = "f32";
    same.formats.clear();
    same.cache = false;  // four times the size of what is used every day
    same.context = engine->executor().program().context;
    WEFT_ASSIGN_OR_RETURN(reference, OpenEngine(same, kLogitRows, executor));
    if (reference->executor().program().vocab != engine->executor().program().vocab) {
      return absl::InvalidArgumentError(
          absl::StrCat(same.model, ": has another vocabulary than ", arguments.model.model));
    }
  }
  Session session(&engine->executor());
  std::optional<Session> beside;
  if (reference != nullptr) beside.emplace(&reference->executor());
  const auto window = static_cast<size_t>(session.context());
  Sums sums;
  int64_t windows = 0;
  {
    ProgressBar bar;
    for (size_t begin = 0; begin < ids.size(); begin += window, ++windows) {
      const auto part = absl::MakeConstSpan(ids).subspan(begin, window);
      WEFT_RETURN_IF_ERROR(EvaluateWindow(part, &session, beside ? &*beside : nullptr, &sums));
      bar.Update("evaluating", std::min(begin + window, ids.size()), ids.size());
    }
  }
  std::cout << Report(arguments, sums, static_cast<int64_t>(ids.size()), windows,
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
  command
      ->add_option("--against", arguments->against,
                   "with a plan: the model whose F32 form to compare with")
      ->type_name("MODEL");
  command->add_flag("--no-reference", arguments->no_reference, "do not compare with F32");
  AddThreadsOption(command, &arguments->threads);
  command->add_flag("--json", arguments->json, "print JSON");
  AddCompileOptions(command, &arguments->model);
  AddCacheOption(command, &arguments->model);
  AddMemoryOptions(command, &arguments->model);
  command->callback([arguments, chosen] { *chosen = [arguments] { return RunEval(*arguments); }; });
}

}  // namespace weft::tools
