// Text from tokens as they are generated: what is printed is never half a character.
#pragma once

#include <cstdint>
#include <string>

#include "absl/types/span.h"
#include "runtime/text/tokenizer.h"
#include "runtime/text/tokenizer_decoder.h"

namespace weft {

// All that Add and Flush return, joined, equals Tokenizer::Decode of the same ids wherever the
// tokens' bytes are valid UTF-8. Where they are not, byte-level tokenizers agree too; those with
// byte fallback show the whole characters of a broken run here, while Decode, as Hugging Face,
// shows U+FFFD for each byte of it.
class StreamDecoder {
 public:
  // Holds a copy of the tokenizer (which shares its tables).
  StreamDecoder(Tokenizer tokenizer, bool skip_special);
  StreamDecoder(const StreamDecoder&) = delete;
  StreamDecoder& operator=(const StreamDecoder&) = delete;

  // Goes on after a prompt without its text: blanks that only the first token of a text loses are
  // then kept. A character that the prompt leaves unfinished belongs to what follows.
  void Prime(absl::Span<const int32_t> prompt);

  // The text that is certain after this token; empty while a character is unfinished, for special
  // tokens that are skipped and for ids beyond the vocabulary.
  std::string Add(int32_t id);

  // What is still pending, unfinished characters as U+FFFD. After it the decoder stands at the
  // start of a new text.
  std::string Flush();

 private:
  const Tokenizer tokenizer_;
  const bool skip_special_;
  Decoder::Stream stream_;
};

}  // namespace weft
