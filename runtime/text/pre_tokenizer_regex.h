// Regular expressions of tokenizer files. Those are written for Oniguruma (Ruby syntax, Unicode
// classes) and run here by PCRE2 in UTF and UCP mode, interpreted. What the two read differently is
// refused rather than matched wrongly.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/text/text_budget.h"

namespace weft {

struct TextRange {
  size_t begin;
  size_t end;  // one past the last byte
};

// What the patterns of a tokenizer file may take together, to be compiled.
class PatternBudget {
 public:
  // Why this pattern is one too many; empty if it is not.
  std::string Refusal(std::string_view pattern);

 private:
  size_t bytes_ = 0;
  size_t caseless_ = 0;
  TextBudget time_{0, /*seconds=*/1};  // known ones take a thousandth
};

// Immutable; one Regex may be used by many threads at once. Copies share the compiled pattern.
class Regex {
 public:
  // InvalidArgument for a pattern that is malformed, too large, or outside what both engines read
  // alike: character class intersections (&&), nested classes, \h, \H, \Q, comments and {n,m}+;
  // or that depends on where a search begins: \G, \K, (*COMMIT) and its like; or that takes time
  // nobody bounds: \X, lookbehinds of more than 255 characters.
  static absl::StatusOr<Regex> Compile(std::string_view pattern, PatternBudget& budget);
  static absl::StatusOr<Regex> Compile(std::string_view pattern) {
    PatternBudget budget;
    return Compile(pattern, budget);
  }

  // All matches from left to right, not overlapping; an empty match right after another match does
  // not count. `text` must be valid UTF-8. ResourceExhausted if the pattern needs more backtracking
  // than a small multiple of the text's length from one position, or once the budget's time is
  // over or its bytes do not suffice for the matches, which no pattern of a known tokenizer does.
  absl::Status FindAll(std::string_view text, TextBudget& budget,
                       std::vector<TextRange>* matches) const;

 private:
  struct Program;
  explicit Regex(std::shared_ptr<const Program> program) : program_(std::move(program)) {}
  int Find(std::string_view text, size_t position, size_t last, bool near,
           TextBudget& budget) const;

  std::shared_ptr<const Program> program_;
};

}  // namespace weft
