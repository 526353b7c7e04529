#include "tools/evaluate.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "runtime/abi/check.h"
#include "runtime/base/status_macros.h"
#include "tools/arguments.h"

namespace weft::tools {
namespace {

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

double Divergence(absl::Span<const float> reference, const LogSoftmax& p,
                  absl::Span<const float> model, const LogSoftmax& q) {
  double kl = 0;
  for (size_t i = 0; i < reference.size(); ++i) {
    const double log_p = reference[i] - p.log_sum;
    kl += std::exp(log_p) * (log_p - (model[i] - q.log_sum));
  }
  return kl;
}

// One window of the text, in blocks so that the logits of a model and of the reference are at hand
// together.
absl::Status EvaluateWindow(absl::Span<const int32_t> ids, int64_t window, Session* reference,
                            absl::Span<Session* const> models, std::vector<TextScore>* scores) {
  if (reference != nullptr) reference->Reset();
  for (Session* model : models) model->Reset();
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
    for (size_t i = 0; i < models.size(); ++i) {
      WEFT_RETURN_IF_ERROR(models[i]->PrefillWithLogits(
          block, [&](int64_t position, absl::Span<const float> logits) {
            const size_t next = static_cast<size_t>(position) + 1;
            if (next >= ids.size()) return absl::OkStatus();
            const auto row = absl::MakeConstSpan(expected).subspan(
                expected.empty() ? 0 : (static_cast<size_t>(position) - begin) * logits.size(),
                expected.empty() ? 0 : logits.size());
            TextScore& score = (*scores)[i];
            score.Add(logits, row, ids[next]);
            if (std::isfinite(score.nll) && std::isfinite(score.kl)) return absl::OkStatus();
            return absl::DataLossError(
                absl::StrCat("the logits after token ", position + 1, " of window ", window + 1,
                             " are NaN or infinite: broken weights? (docs/numerics.md, \"Broken "
                             "numbers\")"));
          }));
    }
  }
  return absl::OkStatus();
}

}  // namespace

void TextScore::Add(absl::Span<const float> logits, absl::Span<const float> reference,
                    int32_t next) {
  const LogSoftmax q = Reduce(logits);
  ++positions;
  nll += q.log_sum - logits[static_cast<size_t>(next)];
  if (reference.empty()) return;
  const LogSoftmax p = Reduce(reference);
  reference_nll += p.log_sum - reference[static_cast<size_t>(next)];
  kl += Divergence(reference, p, logits, q);
  same_top += p.top == q.top ? 1 : 0;
}

absl::StatusOr<TextScores> EvaluateText(absl::Span<const int32_t> ids, Session* reference,
                                        absl::Span<Session* const> models,
                                        const std::function<void(uint64_t done)>& progress) {
  WEFT_CHECK(ids.size() >= 2 && !models.empty());
  // The logits of a block's last token are scored by an id that no session has seen yet.
  for (const Session* model : models) WEFT_RETURN_IF_ERROR(model->CheckIds(ids));
  if (reference != nullptr) WEFT_RETURN_IF_ERROR(reference->CheckIds(ids));
  if (models[0]->context() < 2) {
    return absl::InvalidArgumentError(
        "a context of 1 position has no next token to score; give a larger one (-c)");
  }
  TextScores scores;
  scores.models.resize(models.size());
  const auto window = static_cast<size_t>(models[0]->context());
  for (size_t begin = 0; begin < ids.size(); begin += window, ++scores.windows) {
    WEFT_RETURN_IF_ERROR(EvaluateWindow(ids.subspan(begin, window), scores.windows, reference,
                                        models, &scores.models));
    progress(std::min(begin + window, ids.size()));
  }
  return scores;
}

}  // namespace weft::tools
