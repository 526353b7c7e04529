#include "runtime/text/pre_tokenizer.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "runtime/base/status_macros.h"
#include "runtime/text/bpe_bytes.h"
#include "runtime/text/terminal_text.h"
#include "runtime/text/tokenizer_fields.h"
#include "runtime/text/utf8.h"

namespace weft {
namespace {

// Of a TextBudget: where a word stands, beside its bytes.
constexpr size_t kBytesPerWord = sizeof(TextRange);
constexpr size_t kWorkPerWord = 32;
constexpr size_t kWorkPerByte = 8;

// Cuts `text` into maximal runs of one class, or into single characters where `class_of` is
// negative. Classes above 0 are matches.
template <typename ClassOf, typename AddPart>
void CutByClass(std::string_view text, ClassOf class_of, AddPart add_part) {
  size_t begin = 0;
  int current = 0;
  for (size_t i = 0; i < text.size();) {
    const Utf8Char c = DecodeUtf8(text, i);
    const int next = class_of(c.code);
    if (i > begin && next != current) {
      add_part(i, current > 0);
      begin = i;
    }
    current = next;
    i += c.size;
  }
  if (begin < text.size()) add_part(text.size(), current > 0);
}

}  // namespace

std::string_view Gpt2Pattern() {
  return R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
}

absl::StatusOr<MetaspaceConfig> ParseMetaspace(const nlohmann::json& config,
                                               const std::string& where) {
  JsonFields fields(config, where);
  MetaspaceConfig result;
  result.replacement = fields.String("replacement", "\u2581");
  if (result.replacement.empty() ||
      DecodeUtf8(result.replacement, 0).size != result.replacement.size()) {
    fields.Fail("'replacement' must be one character");
  }
  const bool add_prefix_space = fields.Bool("add_prefix_space", true);
  const std::string scheme = fields.String("prepend_scheme", add_prefix_space ? "always" : "never");
  if (scheme == "always") {
    result.prepend = MetaspaceConfig::Prepend::kAlways;
  } else if (scheme == "first") {
    result.prepend = MetaspaceConfig::Prepend::kFirst;
  } else if (scheme == "never") {
    result.prepend = MetaspaceConfig::Prepend::kNever;
  } else {
    fields.Fail(
        absl::StrCat("unknown prepend_scheme ", QuotedText(scheme), " (always, first or never)"));
  }
  result.split = fields.Bool("split", true);
  if (!fields.status().ok()) return fields.status();
  return result;
}

absl::StatusOr<PreTokenizer> PreTokenizer::Create(const nlohmann::json& config,
                                                  const std::string& where,
                                                  PatternBudget& patterns) {
  PreTokenizer result;
  if (config.is_null()) return result;
  if (absl::Status status = result.AddSteps(config, where, 0, patterns); !status.ok())
    return status;
  return result;
}

absl::StatusOr<PreTokenizer::Step> PreTokenizer::CreateSplit(const nlohmann::json& config,
                                                             const std::string& where,
                                                             PatternBudget& patterns) {
  JsonFields fields(config, where);
  Step step;
  const std::string behavior = fields.RequiredString("behavior");
  if (behavior == "Removed") {
    step.behavior = Behavior::kRemoved;
  } else if (behavior == "Isolated") {
    step.behavior = Behavior::kIsolated;
  } else if (behavior == "MergedWithPrevious") {
    step.behavior = Behavior::kMergedWithPrevious;
  } else if (behavior == "MergedWithNext") {
    step.behavior = Behavior::kMergedWithNext;
  } else if (behavior == "Contiguous") {
    step.behavior = Behavior::kContiguous;
  } else {
    fields.Fail(absl::StrCat("unknown behavior ", QuotedText(behavior)));
  }
  step.invert = fields.Bool("invert", false);
  JsonFields pattern(fields.RequiredObject("pattern"), fields.Path("pattern"));
  if (!fields.status().ok()) return fields.status();
  if (pattern.Find("Regex") != nullptr) {
    step.kind = Kind::kSplitRegex;
    absl::StatusOr<Regex> regex = Regex::Compile(pattern.String("Regex", ""), patterns);
    if (!regex.ok()) {
      pattern.Fail(regex.status().message());
    } else {
      step.regex.push_back(*std::move(regex));
    }
  } else {
    step.kind = Kind::kSplitString;
    step.pattern = pattern.RequiredString("String");
  }
  if (!pattern.status().ok()) return pattern.status();
  return step;
}

absl::Status PreTokenizer::AddSteps(const nlohmann::json& config, const std::string& where,
                                    int depth, PatternBudget& patterns) {
  JsonFields fields(config, where);
  const std::string type = fields.RequiredString("type");
  if (!fields.status().ok()) return fields.status();
  Step step;
  if (type == "Sequence") {
    if (depth >= kMaxSequenceDepth) fields.Fail("sequences nested too deeply");
    const nlohmann::json& list = fields.RequiredArray("pretokenizers");
    if (!fields.status().ok()) return fields.status();
    for (size_t i = 0; i < list.size(); ++i) {
      absl::Status status = AddSteps(list[i], fields.Path("pretokenizers", i), depth + 1, patterns);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }
  if (type == "Split") {
    absl::StatusOr<Step> split = CreateSplit(config, where, patterns);
    if (!split.ok()) return split.status();
    step = *std::move(split);
  } else if (type == "ByteLevel") {
    step.kind = Kind::kByteLevel;
    step.add_prefix_space = fields.Bool("add_prefix_space", true);
    if (fields.Bool("use_regex", true)) {
      absl::StatusOr<Regex> regex = Regex::Compile(Gpt2Pattern(), patterns);
      if (!regex.ok()) return regex.status();
      step.regex.push_back(*std::move(regex));
    }
  } else if (type == "Digits") {
    step.kind = Kind::kDigits;
    step.behavior =
        fields.Bool("individual_digits", false) ? Behavior::kIsolated : Behavior::kContiguous;
  } else if (type == "Metaspace") {
    step.kind = Kind::kMetaspace;
    absl::StatusOr<MetaspaceConfig> metaspace = ParseMetaspace(config, where);
    if (!metaspace.ok()) return metaspace.status();
    step.metaspace = *std::move(metaspace);
  } else if (type == "Whitespace") {
    step.kind = Kind::kWhitespace;
    step.behavior = Behavior::kRemoved;
  } else if (type == "WhitespaceSplit") {
    step.kind = Kind::kWhitespaceSplit;
    step.behavior = Behavior::kRemoved;
  } else {
    fields.Fail(absl::StrCat("unknown pre-tokenizer ", QuotedText(type),
                             " (known: Sequence, ByteLevel, Split, Digits, Metaspace, Whitespace, "
                             "WhitespaceSplit)"));
  }
  if (steps_.size() >= kMaxSequenceSteps) fields.Fail("too many steps");
  if (!fields.status().ok()) return fields.status();
  steps_.push_back(std::move(step));
  return absl::OkStatus();
}

absl::Status PreTokenizer::FindParts(const Step& step, std::string_view text, TextBudget& budget,
                                     Scratch* scratch) {
  std::vector<TextRange>& matches = scratch->matches;
  matches.clear();
  scratch->parts.clear();
  // There may be as many as bytes, so that they are not all made where words are too many.
  const auto add = [&](size_t end, bool is_match) {
    if (budget.HasBytes(scratch->parts.size() * kBytesPerWord))
      scratch->parts.push_back({end, is_match ? size_t{1} : size_t{0}});
  };
  const auto add_matches = [&] {
    size_t end = 0;
    for (const TextRange& match : matches) {
      if (match.begin > end) add(match.begin, step.invert);
      add(match.end, !step.invert);
      end = match.end;
    }
    if (end < text.size()) add(text.size(), step.invert);
  };
  switch (step.kind) {
    case Kind::kByteLevel:
    case Kind::kSplitRegex: {
      absl::Status status = step.regex.front().FindAll(text, budget, &matches);
      if (!status.ok()) return status;
      add_matches();
      break;
    }
    case Kind::kSplitString:
    case Kind::kMetaspace: {
      const std::string& pattern =
          step.kind == Kind::kMetaspace ? step.metaspace.replacement : step.pattern;
      if (!pattern.empty()) {
        for (size_t at = FindString(text, pattern, 0); at != std::string_view::npos;
             at = FindString(text, pattern, at + pattern.size())) {
          WEFT_RETURN_IF_ERROR(budget.CheckBytes((matches.size() + 1) * sizeof(TextRange)));
          matches.push_back({at, at + pattern.size()});
        }
      }
      add_matches();
      break;
    }
    case Kind::kDigits: {
      // A class of its own for each single digit keeps neighbours apart; 1 and 2 take turns.
      const bool single = step.behavior == Behavior::kIsolated;
      int turn = 1;
      CutByClass(
          text,
          [&](char32_t c) {
            if (!IsNumeric(c)) return 0;
            if (single) turn = 3 - turn;
            return turn;
          },
          add);
      break;
    }
    case Kind::kWhitespace:  // \w+|[^\w\s]+
      CutByClass(
          text, [](char32_t c) { return IsWhitespace(c) ? 3 : (IsWordChar(c) ? -1 : -2); }, add);
      break;
    case Kind::kWhitespaceSplit:
      CutByClass(text, [](char32_t c) { return IsWhitespace(c) ? 1 : 0; }, add);
      break;
  }
  return budget.CheckBytes(scratch->parts.size() * kBytesPerWord);
}

void PreTokenizer::Combine(const std::vector<Part>& parts, Behavior behavior,
                           std::vector<TextRange>* out) {
  out->clear();
  bool previous = false;
  size_t begin = 0;
  bool joins_next = false;  // MergedWithNext: the last cut is a match, which the next part joins
  for (const Part& part : parts) {
    const bool is_match = part.is_match != 0;
    bool joins = false;
    switch (behavior) {
      case Behavior::kIsolated:
      case Behavior::kRemoved:
        break;
      case Behavior::kContiguous:
        joins = is_match == previous;
        break;
      case Behavior::kMergedWithPrevious:
        joins = is_match && !previous;
        break;
      case Behavior::kMergedWithNext:
        joins = joins_next && !is_match;
        joins_next = is_match;
        break;
    }
    if (joins && !out->empty()) {
      out->back().end = part.end;
    } else if (behavior != Behavior::kRemoved || !is_match) {
      out->push_back({begin, part.end});
    }
    previous = is_match;
    begin = part.end;
  }
}

// Cuts each of the words. Where a step changes them, they go into a text of their own.
absl::Status PreTokenizer::Apply(const Step& step, bool at_start, TextBudget& budget,
                                 Scratch* scratch, Words* words) {
  const bool changes = step.kind == Kind::kByteLevel || step.kind == Kind::kMetaspace;
  const MetaspaceConfig& metaspace = step.metaspace;
  const bool split = step.kind == Kind::kByteLevel   ? !step.regex.empty()
                     : step.kind == Kind::kMetaspace ? metaspace.split
                                                     : true;
  const Behavior behavior =
      step.kind == Kind::kMetaspace ? Behavior::kMergedWithNext : step.behavior;
  Words made;
  size_t bytes = 0;
  std::string changed;
  for (size_t i = 0; i < words->size(); ++i) {
    std::string_view word = (*words)[i];
    if (step.kind == Kind::kByteLevel && step.add_prefix_space && !word.starts_with(' ')) {
      changed.assign(1, ' ').append(word);
      word = changed;
    } else if (step.kind == Kind::kMetaspace) {
      changed = absl::StrReplaceAll(ToAbsl(word), {{" ", metaspace.replacement}});
      const bool first = at_start && words->ranges[i].begin == 0;
      const bool prepend = metaspace.prepend == MetaspaceConfig::Prepend::kAlways ||
                           (metaspace.prepend == MetaspaceConfig::Prepend::kFirst && first);
      if (prepend && !changed.starts_with(metaspace.replacement))
        changed.insert(0, metaspace.replacement);
      word = changed;
    }
    if (absl::Status status = budget.CheckTime(kWorkPerWord + word.size() * kWorkPerByte);
        !status.ok()) {
      return status;
    }
    if (split) {
      if (absl::Status status = FindParts(step, word, budget, scratch); !status.ok()) return status;
      Combine(scratch->parts, behavior, &scratch->cuts);
    } else {
      scratch->cuts.assign(1, {0, word.size()});
    }
    for (const TextRange& cut : scratch->cuts) {
      if (cut.begin == cut.end) continue;
      const std::string_view piece = word.substr(cut.begin, cut.end - cut.begin);
      size_t begin = words->ranges[i].begin + cut.begin;
      size_t end = begin + piece.size();
      if (changes) {
        // A word that does not begin the text is not to look as if it did.
        if (made.text.empty() && (words->ranges[i].begin != 0 || cut.begin != 0)) made.text = ' ';
        begin = made.text.size();
        if (step.kind == Kind::kByteLevel) {
          AppendToByteAlphabet(piece, &made.text);
        } else {
          made.text.append(piece);
        }
        end = made.text.size();
      }
      made.ranges.push_back({begin, end});
      bytes += end - begin + kBytesPerWord;
    }
    if (absl::Status status = budget.CheckBytes(bytes); !status.ok()) return status;
  }
  if (changes) words->text = std::move(made.text);
  words->ranges = std::move(made.ranges);
  return absl::OkStatus();
}

size_t Words::bytes() const {
  size_t bytes = 0;
  for (const TextRange& range : ranges) bytes += range.end - range.begin + kBytesPerWord;
  return bytes;
}

absl::StatusOr<Words> PreTokenizer::Split(std::string text, bool at_start,
                                          TextBudget& budget) const {
  Words words;
  words.text = std::move(text);
  if (!words.text.empty()) words.ranges.push_back({0, words.text.size()});
  Scratch scratch;
  for (const Step& step : steps_) {
    absl::Status status = Apply(step, at_start, budget, &scratch, &words);
    if (!status.ok()) return status;
  }
  return words;
}

}  // namespace weft
