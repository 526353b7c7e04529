#include "runtime/sampling/sampler.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace weft {
namespace {

absl::Status OutOfRange(absl::string_view option, double value, absl::string_view range) {
  return absl::InvalidArgumentError(absl::StrCat(option, " is ", value, ", but must be ", range));
}

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Of logits that are no numbers one could choose by. -infinity is one: it is never chosen.
absl::Status Unusable(size_t id, float logit) {
  return absl::DataLossError(absl::StrCat("the logit of token ", id, " is ",
                                          std::isnan(logit) ? "NaN" : "infinite",
                                          ": broken weights? (docs/numerics.md, \"Broken "
                                          "numbers\")"));
}

// Logits looked at together; compilers make vectors of a loop with a fixed count.
constexpr size_t kBlock = 32;

// False also where one is NaN.
bool AllAtMost(const float* logits, float least) {
  int at_most = 1;
  for (size_t i = 0; i < kBlock; ++i) at_most &= logits[i] <= least ? 1 : 0;
  return at_most != 0;
}

// Most likely first, the lower id first among equals.
template <typename Candidate>
bool Likelier(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

}  // namespace

absl::StatusOr<Sampler> Sampler::Create(const SamplerOptions& options) {
  // Negated, so that NaN fails too.
  if (!(options.temperature >= 0.0f && std::isfinite(options.temperature))) {
    return OutOfRange("temperature", options.temperature, "0 or more, and finite");
  }
  if (options.top_k < 0) return OutOfRange("top-k", options.top_k, "0 (all) or more");
  if (!(options.top_p > 0.0f && options.top_p <= 1.0f)) {
    return OutOfRange("top-p", options.top_p, "above 0 and at most 1");
  }
  if (!(options.min_p >= 0.0f && options.min_p <= 1.0f)) {
    return OutOfRange("min-p", options.min_p, "from 0 to 1");
  }
  if (!(options.repeat_penalty > 0.0f && std::isfinite(options.repeat_penalty))) {
    return OutOfRange("repeat-penalty", options.repeat_penalty, "above 0, and finite");
  }
  if (options.repeat_last_n < 0) {
    return OutOfRange("repeat-last-n", options.repeat_last_n, "0 (none) or more");
  }
  return Sampler(options);
}

void Sampler::Accept(int32_t id) {
  if (options_.repeat_last_n == 0 || options_.repeat_penalty == 1.0f) return;
  if (accepted_.size() < size_t(options_.repeat_last_n)) {
    accepted_.push_back(id);
    return;
  }
  accepted_[oldest_] = id;
  oldest_ = (oldest_ + 1) % accepted_.size();
}

absl::StatusOr<int32_t> Sampler::Sample(absl::Span<const float> logits) {
  if (logits.size() > size_t{std::numeric_limits<int32_t>::max()}) {
    return absl::InvalidArgumentError("there are more logits than token ids");
  }
  if (!accepted_.empty()) {
    // Penalties bring infinite logits back into the range.
    const auto infinite = std::find(logits.begin(), logits.end(), kInfinity);
    if (infinite != logits.end()) return Unusable(size_t(infinite - logits.begin()), kInfinity);
    logits_.assign(logits.begin(), logits.end());
    Penalize();
    logits = logits_;
  }
  const size_t keep = options_.temperature == 0.0f ? 1 : size_t(options_.top_k);
  if (absl::Status status = Collect(logits, keep == 0 ? logits.size() : keep); !status.ok())
    return status;
  if (candidates_.empty()) return absl::DataLossError("there are no logits to choose by");
  // At temperature 0; or equal weights of zero, with nothing to choose by.
  if (options_.temperature == 0.0f || std::isinf(candidates_[0].logit)) return candidates_[0].id;
  CutTopP();
  CutMinP();
  return Draw();
}

void Sampler::Penalize() {
  // A token is penalised once, however often it occurs.
  std::vector<int32_t> ids = accepted_;
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  for (int32_t id : ids) {
    if (id < 0 || size_t(id) >= logits_.size()) continue;
    float& logit = logits_[size_t(id)];
    if (logit == -kInfinity) continue;
    logit = logit > 0.0f ? logit / options_.repeat_penalty : logit * options_.repeat_penalty;
    // What leaves the range must not become as unlikely as what cannot be, nor more likely than
    // all.
    constexpr float kLargest = std::numeric_limits<float>::max();
    if (!std::isnan(logit)) logit = std::clamp(logit, -kLargest, kLargest);
  }
}

// Candidates come in order of their ids, so that of equal logits the later ones are never likelier:
// once there are enough, only what is above the least of them counts, and hardly any is.
absl::Status Sampler::Collect(absl::Span<const float> logits, size_t keep) {
  const size_t room = std::max(2 * keep, kBlock);
  const auto likelier = Likelier<Candidate>;
  candidates_.clear();
  bool full = false;
  float least = 0;
  for (size_t i = 0; i < logits.size();) {
    const size_t end = std::min(i + kBlock, logits.size());
    if (full && end - i == kBlock && AllAtMost(&logits[i], least)) {
      i = end;
      continue;
    }
    for (; i < end; ++i) {
      const float logit = logits[i];
      if (std::isnan(logit) || logit == kInfinity) return Unusable(i, logit);
      if (full && logit <= least) continue;
      candidates_.push_back({logit, int32_t(i)});
      if (candidates_.size() < room) continue;
      const auto last = candidates_.begin() + std::ptrdiff_t(keep) - 1;
      std::nth_element(candidates_.begin(), last, candidates_.end(), likelier);
      least = last->logit;
      full = true;
      candidates_.resize(keep);
    }
  }
  const size_t kept = std::min(keep, candidates_.size());
  const auto end = candidates_.begin() + std::ptrdiff_t(kept);
  std::partial_sort(candidates_.begin(), end, candidates_.end(), likelier);
  candidates_.resize(kept);
  return absl::OkStatus();
}

void Sampler::ComputeWeights(double temperature) {
  weights_.clear();
  const double largest = candidates_[0].logit;
  for (const Candidate& c : candidates_) {
    weights_.push_back(ReproducibleExp((double(c.logit) - largest) / temperature));
  }
}

void Sampler::CutTopP() {
  if (options_.top_p == 1.0f) return;
  ComputeWeights(1.0);
  const double target =
      double(options_.top_p) * std::accumulate(weights_.begin(), weights_.end(), 0.0);
  double sum = 0.0;
  size_t keep = 0;
  while (keep < candidates_.size() && sum < target) sum += weights_[keep++];
  candidates_.resize(keep);
}

void Sampler::CutMinP() {
  if (options_.min_p == 0.0f) return;
  ComputeWeights(1.0);
  // Weights fall; the first is 1 and stays.
  const auto end = std::find_if(weights_.begin(), weights_.end(),
                                [this](double w) { return w < double(options_.min_p); });
  candidates_.resize(size_t(end - weights_.begin()));
}

int32_t Sampler::Draw() {
  ComputeWeights(options_.temperature);
  const double target = random_.NextUnit() * std::accumulate(weights_.begin(), weights_.end(), 0.0);
  double sum = 0.0;
  for (size_t i = 0; i < candidates_.size(); ++i) {
    sum += weights_[i];
    if (target < sum) return candidates_[i].id;
  }
  // Rounding may bring the product up to the sum; weights fall, so the first without any ends them.
  const auto end = std::find(weights_.begin(), weights_.end(), 0.0);
  return candidates_[size_t(end - weights_.begin()) - 1].id;
}

}  // namespace weft
