#include "runtime/text/pre_tokenizer.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "runtime/text/bpe_bytes.h"
#include "runtime/text/tokenizer_fields.h"
#include "runtime/text/utf8.h"

namespace weft {
namespace {

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
      add_part(TextRange{begin, i}, current > 0);
      begin = i;
    }
    current = next;
    i += c.size;
  }
  if (begin < text.size()) add_part(TextRange{begin, text.size()}, current > 0);
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
    fields.Fail(absl::StrCat("unknown prepend_scheme '", scheme, "' (always, first or never)"));
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
    fields.Fail(absl::StrCat("unknown behavior '", behavior, "'"));
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
    fields.Fail(absl::StrCat("unknown pre-tokenizer '", type,
                             "' (known: Sequence, ByteLevel, Split, Digits, Metaspace, Whitespace, "
                             "WhitespaceSplit)"));
  }
  if (steps_.size() >= kMaxSequenceSteps) fields.Fail("too many steps");
  if (!fields.status().ok()) return fields.status();
  steps_.push_back(std::move(step));
  return absl::OkStatus();
}

absl::Status PreTokenizer::FindParts(const Step& step, std::string_view text, TextBudget& budget,
                                     std::vector<Part>* parts) {
  const auto add = [&](TextRange range, bool is_match) { parts->push_back({range, is_match}); };
  const auto add_matches = [&](const std::vector<TextRange>& matches) {
    size_t end = 0;
    for (const TextRange& match : matches) {
      if (match.begin > end) add({end, match.begin}, step.invert);
      add(match, !step.invert);
      end = match.end;
    }
    if (end < text.size()) add({end, text.size()}, step.invert);
  };
  std::vector<TextRange> matches;
  switch (step.kind) {
    case Kind::kByteLevel:
    case Kind::kSplitRegex: {
      absl::Status status = step.regex.front().FindAll(text, budget, &matches);
      if (!status.ok()) return status;
      add_matches(matches);
      break;
    }
    case Kind::kSplitString:
    case Kind::kMetaspace: {
      const std::string& pattern =
          step.kind == Kind::kMetaspace ? step.metaspace.replacement : step.pattern;
      if (!pattern.empty()) {
        for (size_t at = text.find(pattern); at != std::string_view::npos;
             at = text.find(pattern, at + pattern.size())) {
          matches.push_back({at, at + pattern.size()});
        }
      }
      add_matches(matches);
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
  return absl::OkStatus();
}

std::vector<TextRange> PreTokenizer::Combine(const std::vector<Part>& parts, Behavior behavior) {
  std::vector<TextRange> out;
  out.reserve(parts.size());
  bool previous = false;
  switch (behavior) {
    case Behavior::kIsolated:
      for (const Part& part : parts) out.push_back(part.range);
      break;
    case Behavior::kRemoved:
      for (const Part& part : parts) {
        if (!part.is_match) out.push_back(part.range);
      }
      break;
    case Behavior::kContiguous:
      for (const Part& part : parts) {
        if (part.is_match == previous && !out.empty()) {
          out.back().end = part.range.end;
        } else {
          out.push_back(part.range);
        }
        previous = part.is_match;
      }
      break;
    case Behavior::kMergedWithPrevious:
      for (const Part& part : parts) {
        if (part.is_match && !previous && !out.empty()) {
          out.back().end = part.range.end;
        } else {
          out.push_back(part.range);
        }
        previous = part.is_match;
      }
      break;
    case Behavior::kMergedWithNext:
      for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
        if (part->is_match && !previous && !out.empty()) {
          out.back().begin = part->range.begin;
        } else {
          out.push_back(part->range);
        }
        previous = part->is_match;
      }
      std::reverse(out.begin(), out.end());
      break;
  }
  return out;
}

absl::Status PreTokenizer::Apply(const Step& step, Word word, TextBudget& budget,
                                 std::vector<Word>* out) {
  Behavior behavior = step.behavior;
  bool split = true;
  if (step.kind == Kind::kByteLevel) {
    if (step.add_prefix_space && !word.text.starts_with(' ')) word.text.insert(0, 1, ' ');
    split = !step.regex.empty();
  } else if (step.kind == Kind::kMetaspace) {
    const MetaspaceConfig& metaspace = step.metaspace;
    std::string replaced = absl::StrReplaceAll(word.text, {{" ", metaspace.replacement}});
    const bool prepend = metaspace.prepend == MetaspaceConfig::Prepend::kAlways ||
                         (metaspace.prepend == MetaspaceConfig::Prepend::kFirst && word.at_start);
    if (prepend && !replaced.starts_with(metaspace.replacement)) {
      replaced.insert(0, metaspace.replacement);
    }
    word.text = std::move(replaced);
    split = metaspace.split;
    behavior = Behavior::kMergedWithNext;
  }
  const auto emit = [&](std::string text, bool at_start) {
    if (step.kind == Kind::kByteLevel) text = ToByteAlphabet(text);
    out->push_back({std::move(text), at_start});
  };
  if (!split) {
    emit(std::move(word.text), word.at_start);
    return absl::OkStatus();
  }
  std::vector<Part> parts;
  if (absl::Status status = FindParts(step, word.text, budget, &parts); !status.ok()) return status;
  for (const TextRange& range : Combine(parts, behavior)) {
    if (range.begin == range.end) continue;
    emit(word.text.substr(range.begin, range.end - range.begin), word.at_start && range.begin == 0);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> PreTokenizer::Split(std::string text, bool at_start,
                                                             TextBudget& budget) const {
  std::vector<Word> words;
  if (!text.empty()) words.push_back({std::move(text), at_start});
  for (const Step& step : steps_) {
    std::vector<Word> next;
    next.reserve(words.size());
    size_t bytes = 0;
    size_t counted = 0;
    for (Word& word : words) {
      absl::Status status = Apply(step, std::move(word), budget, &next);
      for (; counted < next.size(); ++counted) bytes += next[counted].text.size();
      if (status.ok()) status = budget.CheckBytes(bytes);
      if (!status.ok()) return status;
    }
    words = std::move(next);
  }
  std::vector<std::string> out;
  out.reserve(words.size());
  for (Word& word : words) out.push_back(std::move(word.text));
  return out;
}

}  // namespace weft
