// Pre-tokenisation as in the "pre_tokenizer" field of tokenizer.json (Hugging Face tokenizers):
// cuts normalised text into the words that BPE merges never cross, and writes bytes in the byte
// alphabet where the file asks for it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/text/pre_tokenizer_regex.h"

namespace weft {

// The fields that the Metaspace pre-tokenizer and the Metaspace decoder share.
struct MetaspaceConfig {
  enum class Prepend { kAlways, kFirst, kNever };
  std::string replacement;  // one character
  Prepend prepend = Prepend::kAlways;
  bool split = true;
};
absl::StatusOr<MetaspaceConfig> ParseMetaspace(const nlohmann::json& config,
                                               const std::string& where);

// The pattern of GPT-2, which ByteLevel splits by.
std::string_view Gpt2Pattern();

// The words of a text, in their order: stretches of one string, as there may be as many as bytes.
struct Words {
  std::string text;
  std::vector<TextRange> ranges;

  std::string_view operator[](size_t i) const {
    return std::string_view(text).substr(ranges[i].begin, ranges[i].end - ranges[i].begin);
  }
  size_t size() const { return ranges.size(); }
  // What they take of a TextBudget.
  size_t bytes() const;
};

class PreTokenizer {
 public:
  // `config` is the value of the field; null gives the whole text as one word. Known types:
  // Sequence, ByteLevel, Split, Digits, Metaspace, Whitespace, WhitespaceSplit; at most
  // kMaxSequenceSteps. `where` begins each message.
  static absl::StatusOr<PreTokenizer> Create(const nlohmann::json& config, const std::string& where,
                                             PatternBudget& patterns);
  static absl::StatusOr<PreTokenizer> Create(const nlohmann::json& config,
                                             const std::string& where) {
    PatternBudget patterns;
    return Create(config, where, patterns);
  }

  // The words of `text` (valid UTF-8), none of them empty. `at_start` tells that the text begins
  // what the user gave, which Metaspace's prepend_scheme "first" asks for. ResourceExhausted where
  // the budget is, of whose bytes none is spent.
  absl::StatusOr<Words> Split(std::string text, bool at_start, TextBudget& budget) const;

 private:
  enum class Kind {
    kByteLevel,
    kSplitString,
    kSplitRegex,
    kDigits,
    kMetaspace,
    kWhitespace,
    kWhitespaceSplit
  };
  enum class Behavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };
  struct Step {
    Kind kind;
    Behavior behavior = Behavior::kIsolated;
    bool invert = false;
    bool add_prefix_space = false;  // ByteLevel
    std::string pattern;            // kSplitString
    std::vector<Regex> regex;       // one, or none
    MetaspaceConfig metaspace;
  };
  struct Part {  // of a word, from where the part before ends
    size_t end : 63;
    size_t is_match : 1;
  };
  struct Scratch {
    std::vector<TextRange> matches;
    std::vector<Part> parts;
    std::vector<TextRange> cuts;
  };

  absl::Status AddSteps(const nlohmann::json& config, const std::string& where, int depth,
                        PatternBudget& patterns);
  static absl::StatusOr<Step> CreateSplit(const nlohmann::json& config, const std::string& where,
                                          PatternBudget& patterns);
  static absl::Status Apply(const Step& step, bool at_start, TextBudget& budget, Scratch* scratch,
                            Words* words);
  static absl::Status FindParts(const Step& step, std::string_view text, TextBudget& budget,
                                Scratch* scratch);
  static void Combine(const std::vector<Part>& parts, Behavior behavior,
                      std::vector<TextRange>* out);

  std::vector<Step> steps_;
};

}  // namespace weft
