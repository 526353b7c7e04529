// Normalisation as in the "normalizer" field of tokenizer.json (Hugging Face tokenizers): what
// happens to the text between added tokens before it is cut into words.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/text/pre_tokenizer_regex.h"

namespace weft {

// Replaces every occurrence of a string or every match of a regular expression by a fixed text. A
// normaliser step and a decoder step.
class Replacer {
 public:
  // `config` has "pattern": {"String": …} or {"Regex": …} and "content".
  static absl::StatusOr<Replacer> Create(const nlohmann::json& config, const std::string& where,
                                         PatternBudget& patterns);

  // ResourceExhausted where the budget is.
  absl::StatusOr<std::string> Apply(std::string_view text, TextBudget& budget) const;
  bool is_regex() const { return !regex_.empty(); }

 private:
  std::string pattern_;
  std::vector<Regex> regex_;  // one, or none
  std::string content_;
};

enum class UnicodeForm { kNfc, kNfd, kNfkc, kNfkd };

// The Unicode normal form of valid UTF-8, in time linear in the text (n log n for its longest run
// of marks). ResourceExhausted where the budget has fewer bytes than the work takes.
absl::StatusOr<std::string> NormalizeUnicode(std::string_view text, UnicodeForm form,
                                             const TextBudget& budget);

class Normalizer {
 public:
  // `config` is the value of the field; null changes nothing. Known types: Sequence, NFC, NFD,
  // NFKC, NFKD, Replace, Prepend, Lowercase, Strip; at most kMaxSequenceSteps. `where` begins each
  // message.
  static absl::StatusOr<Normalizer> Create(const nlohmann::json& config, const std::string& where,
                                           PatternBudget& patterns);
  static absl::StatusOr<Normalizer> Create(const nlohmann::json& config, const std::string& where) {
    PatternBudget patterns;
    return Create(config, where, patterns);
  }

  // `text` must be valid UTF-8; so is the result. ResourceExhausted where the budget is, of whose
  // bytes none is spent.
  absl::StatusOr<std::string> Apply(std::string text, TextBudget& budget) const;

 private:
  enum class Kind { kUnicode, kReplace, kPrepend, kLowercase, kStrip };
  struct Step {
    Kind kind;
    UnicodeForm form = UnicodeForm::kNfc;
    std::vector<Replacer> replacer;  // one, or none
    std::string prepend;
    bool strip_left = false;
    bool strip_right = false;
  };

  absl::Status AddSteps(const nlohmann::json& config, const std::string& where, int depth,
                        PatternBudget& patterns);

  std::vector<Step> steps_;
};

}  // namespace weft
