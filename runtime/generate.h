// The generation loop: prompt in, tokens and text out.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <absl/types/span.h>

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/sampling/sampler.h"
#include "runtime/session.h"
#include "runtime/text/stream_decoder.h"

namespace weft {

struct GenerateOptions {
  int64_t max_new_tokens = -1;    // -1: until a stop id or the end of the context
  std::vector<int32_t> stop_ids;  // generation ends at each, which gives no text
  bool ignore_eos = false;        // go on at stop ids, as at any other
  int64_t prefill_chunk = 0;      // as for Session::Prefill
};

enum class StopReason {
  kStopId,      // a stop id was chosen
  kMaxTokens,   // max_new_tokens were
  kContextEnd,  // the context is full
  kCancelled,   // by the executor's cancel flag
};

struct GenerateResult {
  StopReason stop_reason = StopReason::kCancelled;
  std::vector<int32_t> ids;  // chosen tokens, a stop id that ended it not among them
  std::string text;          // all that on_text received
  int64_t prompt_tokens = 0;
  double prefill_ms = 0;          // of the prompt; the time until the first token is chosen
  std::vector<double> decode_ms;  // of every further token: computing logits and choosing
  double first_choosing_ms = 0;   // of prefill_ms, choosing the first token
  double choosing_ms = 0;         // of decode_ms together, choosing the others
  double text_ms = 0;             // beside them: making text of all tokens, and on_text

  double TotalDecodeMs() const;
};

// Receives whole characters; an error (a closed pipe) ends the generation with it.
using OnText = absl::FunctionRef<absl::Status(absl::string_view text)>;

// Adds `prompt` to the session and generates. The session may hold tokens already (the earlier
// turns of a chat), and afterwards holds every chosen token but the last. `sampler` has accepted
// prompt and chosen tokens afterwards. `decoder` is primed with the prompt and flushed at the end,
// also of a cancelled generation, so that `on_text` has received all text when this returns.
// Errors: those of Session::Prefill (an empty prompt; ids out of the vocabulary; a prompt longer
// than the context), of the sampler and of `on_text`.
absl::StatusOr<GenerateResult> Generate(Session& session, absl::Span<const int32_t> prompt,
                                        const GenerateOptions& options, Sampler& sampler,
                                        StreamDecoder& decoder, OnText on_text);

}  // namespace weft
