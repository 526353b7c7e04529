// Added tokens: what is cut out of a text before it is normalised (or, for tokens marked so,
// after), as added_vocabulary.rs of Hugging Face tokenizers does. The leftmost match wins, the
// longest of those that begin there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "runtime/text/text_budget.h"
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
  // `parse_special`. No segment of plain text is empty. ResourceExhausted where the budget has
  // fewer bytes than the segments take.
  absl::StatusOr<std::vector<Segment>> Split(std::string_view text, Phase phase, bool parse_special,
                                             const TextBudget& budget) const;

 private:
  // Aho and Corasick's automaton over the patterns read backwards. Going through a text from its
  // end it knows, at each byte, the longest pattern that begins there, in linear time. A place of
  // it is a node of the trie of the patterns, 13 bytes for each of theirs at most; they are
  // numbered by depth, so that the children of each are neighbours.
  class Finder {
   public:
    Finder() = default;
    // The patterns of `tokens`, which are indices into all; of equal ones the last counts.
    Finder(absl::Span<const AddedToken> all, std::vector<int32_t> tokens);
    struct Match {
      size_t begin;
      int32_t token;
    };
    // From the last to the first, one for each place where patterns begin: the longest.
    absl::StatusOr<std::vector<Match>> FindAll(std::string_view text,
                                               const TextBudget& budget) const;

   private:
    uint32_t Next(uint32_t node, uint8_t byte) const;

    std::array<uint32_t, 256> of_root_{};  // the children of node 0, which is the root
    std::vector<uint32_t> first_child_;    // of each node, and where the last one's end
    std::vector<uint8_t> byte_;            // that leads to each node; ascending among neighbours
    std::vector<uint32_t> fallback_;  // what else the bytes up to each node may be: the longest
    std::vector<int32_t> token_;      // whose pattern ends at each node or its fallbacks; or -1
  };

  absl::Span<const AddedToken> tokens_;
  Finder raw_;
  Finder normalized_;
};

}  // namespace weft
