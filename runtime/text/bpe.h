// Byte pair encoding over the words that pre-tokenisation leaves: merges by rank (Hugging Face
// tokenizers, models/bpe) or by the score of the merged piece (SentencePiece, bpe_model.cc), with
// fallback to byte tokens or the unknown token.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "runtime/base/hash_map.h"
#include "runtime/text/bpe_merge.h"
#include "runtime/text/pre_tokenizer.h"
#include "runtime/text/tokenizer_image.h"

namespace weft {

// The byte that a token such as "<0x0A>" stands for, or -1.
int ByteOfToken(std::string_view token);

// SentencePiece writes a space so.
inline constexpr std::string_view kSpaceMarker = "\u2581";
// Where the first space marker after `begin` that follows something else stands; the end of the
// word if there is none.
size_t FindSpaceCut(std::string_view word, size_t begin);

// Immutable; safe to use from many threads.
class BpeModel {
 public:
  // `image` must outlive the model.
  explicit BpeModel(const TokenizerImage& image) : image_(&image) {}

  // Appends the tokens of each word, which must be valid UTF-8. O(n log n) in the bytes of the
  // longest word, and in those of the longest piece. ResourceExhausted for a word of 1 GiB or more,
  // and where the budget's time is over.
  absl::Status Encode(const Words& words, TextBudget& budget, std::vector<int32_t>* ids) const;

 private:
  const TokenizerSettings& settings() const { return image_->settings(); }
  // What the words of a text share.
  struct Run {
    TextBudget& budget;
    std::vector<int32_t>* ids;
    // Of unused pieces, what each is made of: at one level, as views into the vocabulary.
    HashMap<int32_t, std::vector<std::string_view>> unused;
  };
  void EncodePart(std::string_view part, Run* run) const;
  void EncodeRanked(std::string_view part, Run* run) const;
  // The piece with this text, as what a merge makes.
  bool FindScored(std::string_view text, BpeMerge* merge) const;
  // The characters of `text`, merged into pieces of at most `longest` bytes.
  std::vector<BpeSymbol> MergeScored(std::string_view text, size_t longest,
                                     TextBudget& budget) const;
  void EncodeScored(std::string_view part, Run* run) const;
  // Appends the byte tokens of `text`; false, with nothing appended, if one is missing.
  bool AppendByteTokens(std::string_view text, std::vector<int32_t>* ids) const;
  void AppendScoredSymbol(std::string_view part, const BpeSymbol& symbol, Run* run) const;
  // The pieces that make up an unused piece, recursively, down to pieces in use.
  void AppendUnused(int32_t id, Run* run) const;
  std::vector<std::string_view> SplitUnused(std::string_view text, TextBudget& budget) const;

  const TokenizerImage* image_;
};

}  // namespace weft
