#include "runtime/text/stream_decoder.h"

#include <utility>

namespace weft {

StreamDecoder::StreamDecoder(Tokenizer tokenizer, bool skip_special)
    : tokenizer_(std::move(tokenizer)),
      skip_special_(skip_special),
      stream_(tokenizer_.decoder(), Decoder::ByteRuns::kPrompt) {}

void StreamDecoder::Prime(absl::Span<const int32_t> prompt) {
  for (const int32_t id : prompt) Add(id);
}

std::string StreamDecoder::Add(int32_t id) {
  std::string text;
  if (!tokenizer_.HasToken(id) || (skip_special_ && tokenizer_.IsSpecial(id))) return text;
  stream_.Add(tokenizer_.TokenText(id), &text);
  return text;
}

std::string StreamDecoder::Flush() {
  std::string text;
  stream_.Finish(&text);
  return text;
}

}  // namespace weft
