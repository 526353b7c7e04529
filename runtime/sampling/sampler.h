// Picks the next token from the logits of a step.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "runtime/sampling/random.h"

namespace weft {

// The defaults are llama.cpp's (common_params_sampling), except that its repeat penalty is off as
// well.
struct SamplerOptions {
  float temperature = 0.8f;  // 0: always the largest logit
  int top_k = 40;            // keep the k most probable; 0: all
  float top_p = 0.95f;       // then the fewest whose probabilities sum to at least p; 1: all
  float min_p = 0.05f;       // then those at least p times as probable as the most probable; 0: all
  float repeat_penalty = 1.0f;  // 1: none
  int repeat_last_n = 64;       // how many accepted tokens are penalised; 0: none
  uint64_t seed = 0;
};

// The chain, in llama.cpp's order: repeat penalty (a positive logit is divided by it, another
// multiplied), top-k, top-p, min-p, temperature, then one draw. Probabilities in top-p and min-p
// are those before the temperature, over what top-k kept.
//
// One seed gives one sequence on every machine: candidates stand in order of falling logit (the
// lower id first among equals), weights are computed in double with ReproducibleExp and summed in
// that order, and each draw takes one number of Random.
class Sampler {
 public:
  // InvalidArgument names the option that is out of range.
  static absl::StatusOr<Sampler> Create(const SamplerOptions& options);

  // An index into `logits`. DataLoss if one is NaN or +infinity, which only damaged weights give,
  // or if there are none. -infinity is a logit like others, though never chosen while there is
  // another. At temperature 0 the lowest id of the largest logit, and nothing is drawn.
  absl::StatusOr<int32_t> Sample(absl::Span<const float> logits);

  // Tells the repeat penalty of a token in the text, of the prompt as well as generated. Ids beyond
  // the logits are ignored.
  void Accept(int32_t id);

  const SamplerOptions& options() const { return options_; }

 private:
  struct Candidate {
    float logit;
    int32_t id;
  };

  explicit Sampler(const SamplerOptions& options) : options_(options), random_(options.seed) {}

  // The weights that top-p and min-p compare, at temperature 1, and those of the draw.
  void ComputeWeights(double temperature);
  void Penalize();
  // The `keep` likeliest, in order.
  absl::Status Collect(absl::Span<const float> logits, size_t keep);
  void CutTopP();
  void CutMinP();
  int32_t Draw();

  SamplerOptions options_;
  Random random_;
  std::vector<int32_t> accepted_;  // the last repeat_last_n, a ring once it is full
  size_t oldest_ = 0;              // in the ring
  // Reused between calls.
  std::vector<float> logits_;
  std::vector<Candidate> candidates_;
  std::vector<double> weights_;
};

}  // namespace weft
