// Tokenizers from the metadata of GGUF files (ggml-org/ggml, docs/gguf.md, "tokenizer.ggml.*").
// What the file does not say, such as the pattern that "tokenizer.ggml.pre" only names, follows
// llama.cpp and the models' own tokenizer.json.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/text/tokenizer_spec.h"

namespace weft {

struct GgufVocabulary {
  std::string model;  // tokenizer.ggml.model: "gpt2" (byte-level BPE) or "llama" (SentencePiece)
  std::string pre;    // tokenizer.ggml.pre; "gpt2" only; empty means "default"
  std::vector<std::string> tokens;   // tokenizer.ggml.tokens
  std::vector<float> scores;         // tokenizer.ggml.scores; "llama" only, one for each token
  std::vector<int32_t> token_types;  // tokenizer.ggml.token_type; empty means all normal
  std::vector<std::string> merges;   // tokenizer.ggml.merges, "left right", best first; "gpt2" only
  // tokenizer.ggml.{bos,eos,unknown,padding}_token_id; -1 where the file has none
  int64_t bos_id = -1;
  int64_t eos_id = -1;
  int64_t unk_id = -1;
  int64_t pad_id = -1;
  // tokenizer.ggml.{add_bos_token,add_eos_token,add_space_prefix}; the default depends on model and
  // pre
  std::optional<bool> add_bos;
  std::optional<bool> add_eos;
  std::optional<bool> add_space_prefix;
};

// The names of tokenizer.ggml.pre that are known, sorted.
std::vector<std::string> KnownGgufPreTokenizers();

// The parts, validated. InvalidArgument that begins with `name` and names the key for what is
// malformed; Unimplemented for a model or pre-tokenizer that is not known (the message lists those
// that are).
//
// SentencePiece sees "▁" (U+2581) in a text as a space. So does this, and so do Gemma's and Llama's
// tokenizer.json: text with a literal "▁" is decoded as a space.
absl::StatusOr<TokenizerSpec> SpecFromGgufVocabulary(GgufVocabulary vocabulary,
                                                     const std::string& name);

}  // namespace weft
