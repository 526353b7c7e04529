// One sequence of tokens over an executor.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/types/span.h>

#include <cstdint>

#include "runtime/executor.h"

namespace weft {

// Keeps the position; keys and values live in the executor, so one session at a time per executor.
// Every call that adds tokens checks ids and context first and then changes nothing where it
// refuses. One that fails later leaves the position as it was, and no logits; one that is cancelled
// keeps the chunks that were complete, and no logits either.
class Session {
 public:
  // Does not own the executor, which must outlive the session.
  explicit Session(Executor* executor) : executor_(executor) {}

  // Adds `ids`, in chunks of `chunk` tokens (0: as many as the program takes at once; more than
  // those means the same). No ids are an error. The result does not depend on the chunks.
  absl::Status Prefill(absl::Span<const int32_t> ids, int64_t chunk = 0);
  // Adds one token.
  absl::Status Decode(int32_t id);

  // Receives the logits that follow position `position`; an error ends the call that made it.
  using LogitsFn =
      absl::FunctionRef<absl::Status(int64_t position, absl::Span<const float> logits)>;
  // As Prefill, and gives the logits of every token added to `logits`, in order. Chunks are no
  // longer than the rows of logits that the program computes at once.
  absl::Status PrefillWithLogits(absl::Span<const int32_t> ids, LogitsFn logits, int64_t chunk = 0);

  // Whether the last call that computed succeeded.
  bool has_logits() const { return last_row_ >= 0; }
  // What follows the last token, f32[vocab], and the lowest id of the largest of them. Only where
  // there are some; valid until the next call.
  absl::Span<const float> Logits() const;
  int32_t Argmax() const;

  // Tokens so far.
  int64_t position() const { return position_; }
  int64_t context() const { return executor_->program().context; }
  int64_t vocab() const { return executor_->program().vocab; }
  // What Prefill says where one of the ids is no row of the embedding.
  absl::Status CheckIds(absl::Span<const int32_t> ids) const {
    return executor_->CheckIds(ids, position_);
  }

  // Starts a new sequence.
  void Reset();

 private:
  absl::Status Check(absl::Span<const int32_t> ids, int64_t chunk) const;
  absl::Status Add(absl::Span<const int32_t> ids, int64_t chunk, const LogitsFn* logits);

  Executor* executor_;
  int64_t position_ = 0;
  int64_t last_row_ = -1;  // of the executor's logits; -1: there are none yet
};

}  // namespace weft
