// Added tokens: what is cut out of a text before it is normalised (or, for tokens marked so,
// after), as added_vocabulary.rs of Hugging Face tokenizers does. The leftmost match wins, the
// longest of those that begin there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "runtime/text/tokenizer_spec.h"

namespace weft {

class AddedVocabulary {
 public:
  enum class Phase { kRaw, kNormalized };
  struct Segment {
    std::string_view text;  // a view into the text given; what an added token covers, with the
                            // whitespace it takes
    int32_t id;             // -1: plain text
  };

  AddedVocabulary() = default;
  // `tokens` must outlive this.
  explicit AddedVocabulary(absl::Span<const AddedToken> tokens);

  // Cuts `text` (valid UTF-8) at the tokens of one phase. Special tokens stay text unless
  // `parse_special`. No segment of plain text is empty.
  std::vector<Segment> Split(std::string_view text, Phase phase, bool parse_special) const;

 private:
  // A byte trie: edges are keyed by (node << 8 | byte), node 0 is the root.
  class Trie {
   public:
    void Add(std::string_view pattern, int32_t token);
    // The longest pattern at text[offset], as its token and end; -1 if none begins there.
    struct Match {
      int32_t token;
      size_t end;
    };
    Match Find(std::string_view text, size_t offset) const;

   private:
    absl::flat_hash_map<uint64_t, uint32_t> edges_;
    std::vector<int32_t> token_of_node_ = {-1};
    std::array<bool, 256> begins_{};
  };

  absl::Span<const AddedToken> tokens_;
  Trie raw_;
  Trie normalized_;
};

}  // namespace weft
