// Chooses the next token from logits: the chain that llama.cpp runs by default, in its order and
// with its defaults.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace weft {

struct SamplerOptions {
  float temperature = 0.8F;  // 0: always the most likely token, ties to the lowest id
  int top_k = 40;            // only the k most likely; 0: all
  float top_p = 0.95F;       // only the most likely that together reach p; 1: all
  float min_p = 0.05F;       // only those at least min_p times as likely as the best; 0: all
  float repeat_penalty =
      1.0F;  // logits of recent tokens: divided by it if above 0, else multiplied; 1: off
  int repeat_last_n = 64;  // how many tokens back are recent; 0: none
  uint64_t seed = 0;
};

// Equal options and logits give equal tokens on every machine with the same C library: the
// generator is splitmix64, ties are broken by id, and probabilities are computed in F64. Not for
// use by two threads at once.
class Sampler {
 public:
  // InvalidArgument names an option that is out of range.
  static absl::StatusOr<Sampler> Create(const SamplerOptions& options);

  // The next token. NaN is never chosen; an error where no logit is a number, or one is +infinity.
  absl::StatusOr<int32_t> Sample(absl::Span<const float> logits);
  // Counts a token, of the prompt or sampled, for the repeat penalty.
  void Accept(int32_t id);

  const SamplerOptions& options() const { return options_; }

 private:
  struct Candidate {
    int32_t id;
    float logit;
  };

  explicit Sampler(const SamplerOptions& options) : options_(options), state_(options.seed) {}
  void Penalise(std::vector<Candidate>* candidates) const;
  int32_t Draw(const std::vector<Candidate>& candidates);
  double NextUniform();

  SamplerOptions options_;
  uint64_t state_;
  std::deque<int32_t> recent_;  // the last repeat_last_n accepted
};

}  // namespace weft
