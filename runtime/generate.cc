#include "runtime/generate.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <utility>

#include "runtime/base/status_macros.h"

namespace weft {
namespace {

using Clock = std::chrono::steady_clock;

double MillisecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

}  // namespace

double GenerateResult::TotalDecodeMs() const {
  return std::accumulate(decode_ms.begin(), decode_ms.end(), 0.0);
}

absl::StatusOr<GenerateResult> Generate(Session& session, absl::Span<const int32_t> prompt,
                                        const GenerateOptions& options, Sampler& sampler,
                                        StreamDecoder& decoder, OnText on_text) {
  GenerateResult result;
  result.prompt_tokens = static_cast<int64_t>(prompt.size());
  decoder.Prime(prompt);
  for (const int32_t id : prompt) sampler.Accept(id);
  const auto emit = [&](const std::string& text) {
    if (text.empty()) return absl::OkStatus();
    result.text += text;
    return on_text(text);
  };
  const auto emit_token = [&](int32_t id) {
    const Clock::time_point start = Clock::now();
    absl::Status status = emit(decoder.Add(id));
    result.text_ms += MillisecondsSince(start);
    return status;
  };
  // The text that waits for the rest of a character comes out however generation ends.
  const auto finish = [&](StopReason reason) -> absl::StatusOr<GenerateResult> {
    result.stop_reason = reason;
    if (absl::Status status = emit(decoder.Flush()); !status.ok()) return status;
    return std::move(result);
  };
  const auto chose_enough = [&] {
    return options.max_new_tokens >= 0 &&
           static_cast<int64_t>(result.ids.size()) >= options.max_new_tokens;
  };

  Clock::time_point begin = Clock::now();
  absl::Status computed = session.Prefill(prompt, options.prefill_chunk);
  result.prefill_ms = MillisecondsSince(begin);
  for (;;) {
    if (absl::IsCancelled(computed)) return finish(StopReason::kCancelled);
    if (!computed.ok()) return computed;
    if (chose_enough()) return finish(StopReason::kMaxTokens);
    const Clock::time_point computed_at = Clock::now();
    const absl::StatusOr<int32_t> sampled = sampler.Sample(session.Logits());
    if (!sampled.ok()) return sampled.status();
    (result.ids.empty() ? result.first_choosing_ms : result.choosing_ms) +=
        MillisecondsSince(computed_at);
    const int32_t id = *sampled;
    const double milliseconds = MillisecondsSince(begin);
    if (result.ids.empty()) {
      result.prefill_ms = milliseconds;
    } else {
      result.decode_ms.push_back(milliseconds);
    }
    const bool stops =
        std::find(options.stop_ids.begin(), options.stop_ids.end(), id) != options.stop_ids.end();
    if (stops && !options.ignore_eos) return finish(StopReason::kStopId);
    result.ids.push_back(id);
    sampler.Accept(id);
    if (absl::Status status = emit_token(id); !status.ok()) return status;
    if (chose_enough()) return finish(StopReason::kMaxTokens);
    if (session.position() >= session.context()) return finish(StopReason::kContextEnd);
    begin = Clock::now();
    computed = session.Decode(id);
  }
}

}  // namespace weft
