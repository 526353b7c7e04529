// Tokenizers of language models: text to token ids and back, as Hugging Face tokenizers does it
// (github.com/huggingface/ tokenizers), from tokenizer.json or from the metadata of a GGUF file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "runtime/text/tokenizer_gguf.h"
#include "runtime/text/tokenizer_spec.h"

namespace weft {

class Decoder;
class TextBudget;

struct EncodeOptions {
  bool add_special =
      true;  // put BOS, EOS or what else the model's template asks for around the text
  bool parse_special = true;  // read "<|im_end|>" in the text as that token, not as characters
};

// Immutable but for SetSpecialIds. Copies share their tables. All const methods are safe to call
// from many threads.
class Tokenizer {
 public:
  // Positions in a text have 32 bits, and normalisers may lengthen it.
  static constexpr size_t kMaxTextBytes = (size_t{1} << 30) - 1;

  // From the text of a tokenizer.json. `name` (the file's path) begins each message. What is not
  // supported is an error that names it (see tokenizer_json.h, normalizer.h, pre_tokenizer.h,
  // tokenizer_decoder.h for what is).
  static absl::StatusOr<Tokenizer> FromTokenizerJson(std::string_view text,
                                                     const std::string& name);

  // From GGUF metadata (see tokenizer_gguf.h).
  static absl::StatusOr<Tokenizer> FromGgufVocabulary(GgufVocabulary vocabulary,
                                                      const std::string& name);

  // The form that a compiled plan carries (tokenizer_image.h), and back: used in place, and
  // `owner` keeps it there. FromImage(t.ToImage(), …) behaves as t does.
  std::string ToImage() const;
  static absl::StatusOr<Tokenizer> FromImage(std::string_view image,
                                             std::shared_ptr<const void> owner,
                                             const std::string& name);

  // The ids of `text`. Malformed UTF-8 is read as U+FFFD (see utf8.h). Time is O(n log n) in the
  // text. ResourceExhausted for more than kMaxTextBytes, or one on which a regular expression of
  // the tokenizer gives up.
  absl::StatusOr<std::vector<int32_t>> Encode(std::string_view text,
                                              EncodeOptions options = {}) const;

  // The text of `ids`, valid UTF-8: bytes that form no character become U+FFFD. Ids beyond the
  // vocabulary give nothing.
  std::string Decode(absl::Span<const int32_t> ids, bool skip_special) const;

  // The bytes that one token stands for, not always whole characters: "Ġa" → " a", "▁a" → " a",
  // "<0x0A>" → "\n". Empty for an id without a token.
  std::string TokenBytes(int32_t id) const;
  // One budget for many of them: steps of the file that it does not allow are left out.
  std::string TokenBytes(int32_t id, TextBudget& budget) const;
  // The token as the vocabulary spells it; empty for an id without a token. Lives as long as this
  // or a copy.
  std::string_view TokenText(int32_t id) const;
  // Whether the id is one of the vocabulary's (ids may have holes).
  bool HasToken(int32_t id) const;
  // The id of a token as the vocabulary spells it. Looks at all of them.
  std::optional<int32_t> TokenToId(std::string_view text) const;
  // Whether Decode(…, skip_special = true) drops the token. False beyond the vocabulary.
  bool IsSpecial(int32_t id) const;

  // One more than the largest id. (A model may have more logits than that: those ids are padding.)
  int32_t vocab_size() const;
  // nullopt where the source names none. tokenizer.json names BOS and EOS only through its
  // post-processor.
  std::optional<int32_t> bos_id() const { return Known(special_ids_.bos); }
  std::optional<int32_t> eos_id() const { return Known(special_ids_.eos); }
  std::optional<int32_t> pad_id() const { return Known(special_ids_.pad); }
  // What Encode(add_special) puts before and after the text.
  absl::Span<const int32_t> prefix() const;
  absl::Span<const int32_t> suffix() const;

  // For what config.json or tokenizer_config.json know beyond tokenizer.json; nullopt leaves an id
  // as it is. Encode does not change. InvalidArgument for an id beyond the vocabulary.
  absl::Status SetSpecialIds(std::optional<int32_t> bos, std::optional<int32_t> eos);

  // For StreamDecoder; lives as long as this or a copy.
  const Decoder& decoder() const;

 private:
  struct Tables;
  explicit Tokenizer(std::shared_ptr<const Tables> tables);
  static absl::StatusOr<Tokenizer> FromSpec(absl::StatusOr<TokenizerSpec> spec,
                                            const std::string& name);
  static std::optional<int32_t> Known(int32_t id) {
    return id < 0 ? std::nullopt : std::optional<int32_t>(id);
  }
  absl::Status EncodePlain(std::string_view text, bool at_start, bool parse_special,
                           TextBudget& budget, std::vector<int32_t>* ids) const;

  std::shared_ptr<const Tables> tables_;
  SpecialIds special_ids_;
};

}  // namespace weft
