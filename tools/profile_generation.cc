#include "tools/profile_generation.h"

#include <optional>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/status_macros.h"
#include "runtime/profile.h"
#include "runtime/sampling/sampler.h"
#include "runtime/session.h"
#include "runtime/text/stream_decoder.h"

namespace weft::tools {
namespace {

// A number stands for so many tokens, whichever they are; everything else is text.
absl::StatusOr<std::vector<int32_t>> PromptIds(const std::string& prompt, const Engine& engine) {
  int64_t count = 0;
  if (!absl::SimpleAtoi(prompt, &count)) {
    WEFT_ASSIGN_OR_RETURN(const std::shared_ptr<const Tokenizer> tokenizer, engine.tokenizer());
    return tokenizer->Encode(prompt);
  }
  if (count < 1 || count > engine.program().context) {
    return absl::InvalidArgumentError(absl::StrCat("-p ", count, ": takes 1 to ",
                                                   engine.program().context,
                                                   " tokens (the context; ask for more with -c)"));
  }
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < count; ++i)
    ids.push_back(static_cast<int32_t>((i * 7919 + 11) % engine.program().vocab));
  return ids;
}

// One token at a time, the likeliest, with the time of each part on its phase.
absl::Status Decode(int64_t count, const Engine& engine, int32_t last, Session* session,
                    ProfileRecorder* recorder) {
  WEFT_ASSIGN_OR_RETURN(Sampler sampler, Sampler::Create({.temperature = 0}));
  std::optional<StreamDecoder> decoder;
  if (auto tokenizer = engine.tokenizer(); tokenizer.ok())
    decoder.emplace(**tokenizer, /*skip_special=*/true);
  const int64_t start = NowNs();
  int64_t choosing_ns = 0;
  int64_t text_ns = 0;
  for (int64_t i = 0; i < count && session->position() < session->context(); ++i) {
    WEFT_RETURN_IF_ERROR(session->Decode(last));
    int64_t begin = NowNs();
    WEFT_ASSIGN_OR_RETURN(last, sampler.Sample(session->Logits()));
    choosing_ns += NowNs() - begin;
    begin = NowNs();
    if (decoder) decoder->Add(last);
    text_ns += NowNs() - begin;
  }
  if (recorder->phases().back().name != "decode") return absl::OkStatus();
  PhaseProfile& phase = recorder->phases().back();
  phase.wall_ns = NowNs() - start;
  phase.choosing_ns = choosing_ns;
  phase.text_ns = text_ns;
  return absl::OkStatus();
}

}  // namespace

absl::Status ProfileGeneration(const ProfiledGeneration& generation, bool cold, Engine* engine,
                               ProfileRecorder* recorder) {
  WEFT_ASSIGN_OR_RETURN(const std::vector<int32_t> ids, PromptIds(generation.prompt, *engine));
  if (ids.empty()) return absl::InvalidArgumentError("the prompt holds no token");
  Session session(&engine->executor());
  if (cold) {
    recorder->Begin("cold");
    WEFT_RETURN_IF_ERROR(session.Decode(ids[0]));
    // What follows is not to share the memory with the copy of a plan's weights.
    (void)engine->SettledWeights();
    session.Reset();
  }
  recorder->Begin("prefill", static_cast<int64_t>(ids.size()));
  const int64_t begin = NowNs();
  WEFT_RETURN_IF_ERROR(session.Prefill(ids));
  recorder->phases().back().wall_ns = NowNs() - begin;
  return Decode(generation.count, *engine, session.Argmax(), &session, recorder);
}

}  // namespace weft::tools
