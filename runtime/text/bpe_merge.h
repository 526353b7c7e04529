// The merge loop that every BPE tokenizer shares: of all neighbouring pairs that may merge, the
// best goes first, the leftmost of equals before the others, until none is left. A heap keeps it at
// O(n log n) for a word of n symbols.
#pragma once

#include <cstddef>
#include <cstdint>
#include <queue>
#include <vector>

#include "absl/types/span.h"

namespace weft {

// A stretch of the word; neighbours by index into the same array, -1 at the ends. Merged away: size
// 0.
struct BpeSymbol {
  uint32_t begin;
  uint32_t size;  // bytes
  int32_t id;     // token, or -1
  int32_t previous;
  int32_t next;
};

// What two neighbours may become: the lower `order` goes first.
struct BpeMerge {
  double order;
  int32_t id;
};

// `lookup(left, right, &merge)` tells whether two neighbouring symbols may merge, and into what.
template <typename Lookup>
void MergeSymbols(absl::Span<BpeSymbol> symbols, const Lookup& lookup) {
  struct Candidate {
    double order;
    int32_t left;
    int32_t id;
    uint32_t
        size;  // of both together; symbols only grow, so another size means that the pair is gone
  };
  const auto later = [](const Candidate& a, const Candidate& b) {
    return a.order != b.order ? a.order > b.order : a.left > b.left;
  };
  std::vector<Candidate> candidates;
  const auto consider = [&](int32_t left, auto add) {
    if (left < 0 || symbols[left].next < 0) return;
    const BpeSymbol& a = symbols[left];
    const BpeSymbol& b = symbols[a.next];
    BpeMerge merge;
    if (lookup(a, b, &merge)) add(Candidate{merge.order, left, merge.id, a.size + b.size});
  };
  for (size_t i = 0; i < symbols.size(); ++i) {
    consider(static_cast<int32_t>(i), [&](const Candidate& c) { candidates.push_back(c); });
  }
  std::priority_queue queue(later, std::move(candidates));
  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    BpeSymbol& left = symbols[best.left];
    if (left.size == 0 || left.next < 0) continue;
    BpeSymbol& right = symbols[left.next];
    if (left.size + right.size != best.size) continue;
    left.id = best.id;
    left.size = best.size;
    left.next = right.next;
    right.size = 0;
    if (left.next >= 0) symbols[left.next].previous = best.left;
    const auto push = [&](const Candidate& c) { queue.push(c); };
    consider(left.previous, push);
    consider(best.left, push);
  }
}

}  // namespace weft
