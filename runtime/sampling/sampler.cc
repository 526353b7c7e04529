#include "runtime/sampling/sampler.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace weft {
namespace {

absl::Status OutOfRange(const char* option, double value, const char* range) {
  return absl::InvalidArgumentError(absl::StrCat(option, " is ", value, ", but must be ", range));
}

}  // namespace

absl::StatusOr<Sampler> Sampler::Create(const SamplerOptions& options) {
  if (!(options.temperature >= 0) || std::isinf(options.temperature))
    return OutOfRange("temperature", options.temperature, "0 or above");
  if (options.top_k < 0) return OutOfRange("top-k", options.top_k, "0 or above");
  if (!(options.top_p > 0 && options.top_p <= 1))
    return OutOfRange("top-p", options.top_p, "above 0 and at most 1");
  if (!(options.min_p >= 0 && options.min_p <= 1))
    return OutOfRange("min-p", options.min_p, "from 0 to 1");
  if (!(options.repeat_penalty > 0) || std::isinf(options.repeat_penalty)) {
    return OutOfRange("repeat-penalty", options.repeat_penalty, "above 0");
  }
  if (options.repeat_last_n < 0)
    return OutOfRange("repeat-last-n", options.repeat_last_n, "0 or above");
  return Sampler(options);
}

void Sampler::Accept(int32_t id) {
  recent_.push_back(id);
  while (recent_.size() > static_cast<size_t>(options_.repeat_last_n)) recent_.pop_front();
}

void Sampler::Penalise(std::vector<Candidate>* candidates) const {
  if (options_.repeat_penalty == 1.0F) return;
  std::vector<int32_t> ids(recent_.begin(), recent_.end());
  std::ranges::sort(ids);
  for (Candidate& candidate : *candidates) {
    if (!std::ranges::binary_search(ids, candidate.id)) continue;
    candidate.logit = candidate.logit > 0 ? candidate.logit / options_.repeat_penalty
                                          : candidate.logit * options_.repeat_penalty;
  }
}

double Sampler::NextUniform() {
  // splitmix64, https://prng.di.unimi.it/splitmix64.c; the upper 53 bits as a fraction.
  state_ += 0x9e3779b97f4a7c15U;
  uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  z ^= z >> 31;
  return static_cast<double>(z >> 11) * 0x1p-53;
}

int32_t Sampler::Draw(const std::vector<Candidate>& candidates) {
  std::vector<double> weights;
  double total = 0;
  for (const Candidate& candidate : candidates) {
    weights.push_back(std::exp((static_cast<double>(candidate.logit) - candidates[0].logit) /
                               options_.temperature));
    total += weights.back();
  }
  double left = NextUniform() * total;
  for (size_t i = 0; i < weights.size(); ++i) {
    left -= weights[i];
    if (left < 0) return candidates[i].id;
  }
  // Only rounding of the sum comes here.
  return candidates.back().id;
}

absl::StatusOr<int32_t> Sampler::Sample(absl::Span<const float> logits) {
  std::vector<Candidate> candidates;
  candidates.reserve(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) {
    if (std::isinf(logits[i]) && logits[i] > 0)
      return absl::DataLossError(
          absl::StrCat("the logit of token ", i, " is infinite: broken weights?"));
    if (!std::isnan(logits[i])) candidates.push_back({static_cast<int32_t>(i), logits[i]});
  }
  if (candidates.empty()) return absl::DataLossError("every logit is NaN: broken weights?");
  Penalise(&candidates);
  const auto likelier = [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
  };
  if (options_.temperature == 0) return std::ranges::min_element(candidates, likelier)->id;

  if (options_.top_k > 0 && static_cast<size_t>(options_.top_k) < candidates.size()) {
    std::partial_sort(candidates.begin(), candidates.begin() + options_.top_k, candidates.end(),
                      likelier);
    candidates.resize(static_cast<size_t>(options_.top_k));
  } else {
    std::ranges::sort(candidates, likelier);
  }
  if (std::isinf(candidates[0].logit))
    return candidates[0].id;  // all are -infinity: equally unlikely

  if (options_.top_p < 1) {
    double total = 0;
    for (const Candidate& candidate : candidates)
      total += std::exp(static_cast<double>(candidate.logit) - candidates[0].logit);
    double sum = 0;
    size_t kept = 0;
    while (kept < candidates.size() && sum < options_.top_p * total) {
      sum += std::exp(static_cast<double>(candidates[kept++].logit) - candidates[0].logit);
    }
    candidates.resize(std::max<size_t>(kept, 1));
  }
  if (options_.min_p > 0) {
    const double lowest = candidates[0].logit + std::log(options_.min_p);
    std::erase_if(candidates,
                  [lowest](const Candidate& candidate) { return candidate.logit < lowest; });
  }
  return Draw(candidates);
}

}  // namespace weft
