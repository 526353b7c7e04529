// What changed from one text to another, as `diff -u` prints it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace weft::tools {

// A longest common subsequence of two sequences, as pairs of places in them, in order. Takes time
// (n + m) · d for d elements that are in one alone, and memory n + m; where that would be many
// seconds, a common subsequence that may not be the longest. E. Myers, "An O(ND)
// difference algorithm and its variations", Algorithmica 1, 1986, section 4b.
std::vector<std::pair<int, int>> CommonSubsequence(absl::Span<const int> a,
                                                   absl::Span<const int> b);

// The texts' names stand in the header as a/NAME and b/NAME; lines without a change stand three
// before and three after each. Empty where the texts are equal.
std::string UnifiedDiff(absl::string_view name_a, absl::string_view a, absl::string_view name_b,
                        absl::string_view b);

}  // namespace weft::tools
