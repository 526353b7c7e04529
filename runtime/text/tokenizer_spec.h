// What a tokenizer is made of, whatever file it came from: tokenizer_json.h and tokenizer_gguf.h
// fill this in, and make_tokenizer_image.h turns it into what runs.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/base/clear_json.h"

namespace weft {

// Values as in GGUF's tokenizer.ggml.token_type (ggml-org/ggml, docs/gguf.md); kAbsent marks an id
// without a token.
enum class TokenType : uint8_t {
  kAbsent = 0,
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6,
  kAddedOnly = 7,  // not of GGUF: an added token that tokenizer.json's model does not have
};

// A token that is cut out of the text before BPE sees it.
struct AddedToken {
  int32_t id = -1;
  std::string content;
  bool special =
      false;  // left alone unless special tokens are parsed; dropped by Decode(skip_special)
  bool lstrip = false;       // takes the whitespace before it
  bool rstrip = false;       // takes the whitespace after it
  bool single_word = false;  // only where no word character touches it
  bool normalized = false;   // searched in the normalised text, as `pattern`
  std::string pattern;       // what to search; `content` if the token is not normalised
};

// -1 where there is none.
struct SpecialIds {
  int32_t bos = -1;
  int32_t eos = -1;
  int32_t pad = -1;
};

// All but the vocabulary.
struct TokenizerSettings {
  TokenizerSettings() = default;
  TokenizerSettings(const TokenizerSettings&) = default;
  TokenizerSettings(TokenizerSettings&&) = default;
  TokenizerSettings& operator=(const TokenizerSettings&) = default;
  TokenizerSettings& operator=(TokenizerSettings&&) = default;
  ~TokenizerSettings() {
    for (nlohmann::json* component : {&normalizer, &pre_tokenizer, &decoder}) ClearJson(*component);
  }

  enum class Merging {
    kRanked,  // by the order of `merges`, as Hugging Face tokenizers do
    kScored,  // by `scores` of the pieces, as SentencePiece does
  };
  Merging merging = Merging::kRanked;
  int32_t unk_id = -1;         // for characters without token; -1 drops them
  bool fuse_unk = false;       // a run of unknown characters gives one unk
  bool byte_fallback = false;  // such a character becomes <0xNN> tokens first
  bool ignore_merges = false;  // a word that is a token is that token
  nlohmann::json normalizer, pre_tokenizer, decoder;  // in the form of tokenizer.json
  std::vector<AddedToken> added_tokens;
  std::vector<int32_t> prefix, suffix;  // what add_special puts around the text
  SpecialIds special_ids;
};

struct TokenizerSpec : TokenizerSettings {
  std::vector<std::string> tokens;                  // by id, valid UTF-8; "" where absent
  std::vector<TokenType> types;                     // by id
  std::vector<float> scores;                        // by id; kScored only
  std::vector<std::pair<int32_t, int32_t>> merges;  // (left, right), best first; kRanked only
};

// The most ids a vocabulary may have: eight times the largest known one (Gemma's 262,144), so ids
// and symbol counts stay far below 2^31 and an absurd id in a file does not allocate memory.
inline constexpr int64_t kMaxVocabulary = int64_t{1} << 21;
// Eight times the longest known one (a run of blanks). An added token is compared with the text at
// every position where its first byte stands, and any character may become the unknown token, whose
// text is then made again: so its length bounds the work.
inline constexpr size_t kMaxTokenBytes = 4096;

// The most ids that add_special puts around a text; known tokenizers put three.
inline constexpr size_t kMaxIdsAround = 64;

// Checks what the parts rely on: sizes that agree, ids in range, finite scores, valid UTF-8.
// InvalidArgument that begins with `name` otherwise.
absl::Status ValidateTokenizerSpec(const TokenizerSpec& spec, const std::string& name);

// Settings without added tokens as JSON, with `ids` in place of settings.special_ids, and back: ids
// are then those of some vocabulary, and may be beyond the one at hand (ValidateIds).
std::string SettingsToJson(const TokenizerSettings& settings, const SpecialIds& ids);
absl::StatusOr<TokenizerSettings> SettingsFromJson(std::string_view text, const std::string& name);
// That all ids of settings but those of added tokens are in a vocabulary of `size`.
absl::Status ValidateIds(const TokenizerSettings& settings, size_t size, const std::string& name);

}  // namespace weft
