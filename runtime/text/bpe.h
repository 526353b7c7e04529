// Byte pair encoding over the words that pre-tokenisation leaves: merges by rank (Hugging Face
// tokenizers, models/bpe) or by the score of the merged piece (SentencePiece, bpe_model.cc), with
// fallback to byte tokens or the unknown token.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "runtime/text/bpe_merge.h"
#include "runtime/text/tokenizer_spec.h"

namespace weft {

// The byte that a token such as "<0x0A>" stands for, or -1.
int ByteOfToken(std::string_view token);

// Immutable after Create; safe to use from many threads.
class BpeModel {
 public:
  // `spec` must be valid and must outlive the model. InvalidArgument if a merge makes something
  // that is no token.
  static absl::StatusOr<BpeModel> Create(const TokenizerSpec& spec, const std::string& name);

  // Appends the tokens of each word, which must be valid UTF-8. O(n log n) in the bytes of the
  // longest word. A word of 1 GiB or more is ResourceExhausted.
  absl::Status Encode(absl::Span<const std::string> words, std::vector<int32_t>* ids) const;

 private:
  explicit BpeModel(const TokenizerSpec& spec) : spec_(&spec) {}

  absl::Status BuildMerges(const std::string& name);
  bool CanCutBeforeSpaceMarker() const;
  void EncodePart(std::string_view part, std::vector<int32_t>* ids) const;
  void EncodeRanked(std::string_view part, std::vector<int32_t>* ids) const;
  void EncodeScored(std::string_view part, std::vector<int32_t>* ids) const;
  // Appends the byte tokens of `text`; false, with nothing appended, if one is missing.
  bool AppendByteTokens(std::string_view text, std::vector<int32_t>* ids) const;
  void AppendScoredSymbol(std::string_view part, const BpeSymbol& symbol,
                          std::vector<int32_t>* ids) const;
  // The pieces that make up an unused piece, recursively, down to pieces in use.
  void AppendUnused(int32_t id, std::vector<int32_t>* ids) const;

  struct RankedMerge {
    int32_t rank;
    int32_t id;
  };

  const TokenizerSpec* spec_;
  absl::flat_hash_map<std::string_view, int32_t> pieces_;  // what merging can make
  absl::flat_hash_map<uint64_t, RankedMerge> merges_;      // left id << 32 | right id
  std::array<int32_t, 256> byte_ids_{};                    // -1 where there is none
  size_t longest_piece_ = 0;                               // bytes
  bool cut_before_space_marker_ = false;
};

}  // namespace weft
