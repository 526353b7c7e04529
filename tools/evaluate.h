// How well models predict a text, and how far they are from a reference.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "runtime/session.h"

namespace weft::tools {

// Sums over the positions of a text that have a token before them, in nats. What is of the
// reference is 0 where there is none.
struct TextScore {
  int64_t positions = 0;
  double nll = 0;            // -log p(next token)
  double reference_nll = 0;  // the reference's
  double kl = 0;             // KL(reference || model)
  int64_t same_top = 0;      // positions where both find the same token likeliest

  // Adds a position: logits of the model and, unless empty, of the reference.
  void Add(absl::Span<const float> logits, absl::Span<const float> reference, int32_t next);

  // Means; of at least one position.
  double MeanNll() const { return nll / static_cast<double>(positions); }
  double MeanReferenceNll() const { return reference_nll / static_cast<double>(positions); }
  double MeanKl() const { return kl / static_cast<double>(positions); }
  double TopAgreement() const {
    return static_cast<double>(same_top) / static_cast<double>(positions);
  }
};

struct TextScores {
  int64_t windows = 0;
  std::vector<TextScore> models;  // as they were given
};

// Takes the text in windows as long as the models' context, which they all share, from an empty
// cache each. `reference` may be null. `ids` are two at least, of the models' common vocabulary.
// `progress` is called with the tokens done.
absl::StatusOr<TextScores> EvaluateText(absl::Span<const int32_t> ids, Session* reference,
                                        absl::Span<Session* const> models,
                                        const std::function<void(uint64_t done)>& progress);

}  // namespace weft::tools
