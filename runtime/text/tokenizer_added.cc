#include "runtime/text/tokenizer_added.h"

#include <algorithm>
#include <compare>
#include <utility>

#include "runtime/base/status_macros.h"
#include "runtime/text/utf8.h"

namespace weft {
namespace {

// Where the last character before text[end] begins; end > 0.
size_t PreviousChar(std::string_view text, size_t end) {
  size_t begin = end - 1;
  while (begin > 0 && (static_cast<uint8_t>(text[begin]) & 0xC0) == 0x80) --begin;
  return begin;
}

bool WordCharBefore(std::string_view text, size_t end) {
  return end > 0 && IsWordChar(DecodeUtf8(text, PreviousChar(text, end)).code);
}

bool WordCharAt(std::string_view text, size_t begin) {
  return begin < text.size() && IsWordChar(DecodeUtf8(text, begin).code);
}

size_t SkipWhitespaceBack(std::string_view text, size_t end, size_t limit) {
  while (end > limit) {
    const size_t begin = PreviousChar(text, end);
    if (!IsWhitespace(DecodeUtf8(text, begin).code)) break;
    end = begin;
  }
  return end;
}

size_t SkipWhitespace(std::string_view text, size_t begin) {
  while (begin < text.size()) {
    const Utf8Char c = DecodeUtf8(text, begin);
    if (!IsWhitespace(c.code)) break;
    begin += c.size;
  }
  return begin;
}

}  // namespace

AddedVocabulary::Finder::Finder(absl::Span<const AddedToken> all, std::vector<int32_t> tokens) {
  if (tokens.empty()) return;
  const auto pattern = [&](size_t i) -> const std::string& { return all[tokens[i]].pattern; };
  const auto byte_at = [&](size_t i, size_t depth) {
    return static_cast<uint8_t>(pattern(i)[pattern(i).size() - 1 - depth]);
  };
  std::ranges::sort(tokens, [&](int32_t a, int32_t b) {
    const std::string& x = all[a].pattern;
    const std::string& y = all[b].pattern;
    const auto order = std::lexicographical_compare_three_way(
        x.rbegin(), x.rend(), y.rbegin(), y.rend(),
        [](char p, char q) { return static_cast<uint8_t>(p) <=> static_cast<uint8_t>(q); });
    return order != 0 ? order < 0 : a < b;
  });
  size_t bytes = 1;
  for (size_t i = 0; i < tokens.size(); ++i) bytes += pattern(i).size();
  first_child_.reserve(bytes + 1);
  byte_.reserve(bytes);
  fallback_.reserve(bytes);
  token_.reserve(bytes);
  const auto add_node = [&](uint8_t byte, uint32_t fallback, int32_t token) {
    byte_.push_back(byte);
    fallback_.push_back(fallback);
    token_.push_back(token);
  };
  add_node(0, 0, -1);

  // Those of one depth, each with the patterns that go through it.
  struct Open {
    uint32_t node;
    size_t begin, end;
  };
  std::vector<Open> level = {{0, 0, tokens.size()}};
  for (size_t depth = 0; !level.empty(); ++depth) {
    std::vector<Open> next;
    for (const Open& open : level) {
      first_child_.push_back(static_cast<uint32_t>(byte_.size()));
      size_t i = open.begin;
      while (i < open.end && pattern(i).size() == depth) ++i;
      while (i < open.end) {
        const uint8_t byte = byte_at(i, depth);
        const auto child = static_cast<uint32_t>(byte_.size());
        const uint32_t fallback = open.node == 0 ? 0 : Next(fallback_[open.node], byte);
        int32_t token = token_[fallback];
        size_t end = i;
        for (; end < open.end && byte_at(end, depth) == byte; ++end) {
          if (pattern(end).size() == depth + 1) token = tokens[end];
        }
        add_node(byte, fallback, token);
        if (open.node == 0) of_root_[byte] = child;
        next.push_back({child, i, end});
        i = end;
      }
    }
    level = std::move(next);
  }
  first_child_.push_back(static_cast<uint32_t>(byte_.size()));
}

uint32_t AddedVocabulary::Finder::Next(uint32_t node, uint8_t byte) const {
  while (node != 0) {
    const auto begin = byte_.begin() + first_child_[node];
    const auto end = byte_.begin() + first_child_[node + 1];
    const auto child = std::lower_bound(begin, end, byte);
    if (child != end && *child == byte) return static_cast<uint32_t>(child - byte_.begin());
    node = fallback_[node];
  }
  return of_root_[byte];
}

absl::StatusOr<std::vector<AddedVocabulary::Finder::Match>> AddedVocabulary::Finder::FindAll(
    std::string_view text, const TextBudget& budget) const {
  std::vector<Match> matches;
  if (token_.empty()) return matches;
  uint32_t node = 0;
  for (size_t i = text.size(); i > 0; --i) {
    node = Next(node, static_cast<uint8_t>(text[i - 1]));
    if (token_[node] < 0) continue;
    WEFT_RETURN_IF_ERROR(budget.CheckBytes((matches.size() + 1) * sizeof(Match)));
    matches.push_back({i - 1, token_[node]});
  }
  return matches;
}

AddedVocabulary::AddedVocabulary(absl::Span<const AddedToken> tokens) : tokens_(tokens) {
  std::vector<int32_t> raw;
  std::vector<int32_t> normalized;
  for (size_t i = 0; i < tokens.size(); ++i)
    (tokens[i].normalized ? normalized : raw).push_back(static_cast<int32_t>(i));
  raw_ = Finder(tokens, std::move(raw));
  normalized_ = Finder(tokens, std::move(normalized));
}

absl::StatusOr<std::vector<AddedVocabulary::Segment>> AddedVocabulary::Split(
    std::string_view text, Phase phase, bool parse_special, const TextBudget& budget) const {
  WEFT_ASSIGN_OR_RETURN(const std::vector<Finder::Match> matches,
                        (phase == Phase::kRaw ? raw_ : normalized_).FindAll(text, budget));
  std::vector<Segment> segments;
  size_t plain = 0;  // where the text begins that no segment holds yet
  // A run of whitespace that was skipped. Tokens of whitespace may each skip the same one, which
  // would be quadratic in it.
  size_t blank_begin = 0;
  size_t blank_end = 0;
  size_t passed = 0;  // what is passed over is not searched again
  for (auto match = matches.rbegin(); match != matches.rend(); ++match) {
    if (match->begin < passed) continue;
    const AddedToken& token = tokens_[match->token];
    size_t begin = match->begin;
    size_t end = begin + token.pattern.size();
    passed = end;
    if (token.special && !parse_special) continue;
    if (token.single_word && (WordCharBefore(text, begin) || WordCharAt(text, end))) continue;
    if (token.lstrip) begin = std::max(SkipWhitespaceBack(text, begin, plain), plain);
    if (token.rstrip && end >= blank_begin && end < blank_end) {
      end = blank_end;
    } else if (token.rstrip) {
      blank_begin = end;
      end = blank_end = SkipWhitespace(text, end);
    }
    // A token of whitespace may lie in what the token before took as well; with nothing left to
    // take it is none.
    if (begin >= end) continue;
    WEFT_RETURN_IF_ERROR(budget.CheckBytes(matches.size() * sizeof(Finder::Match) +
                                           (segments.size() + 3) * sizeof(Segment)));
    if (plain < begin) segments.push_back({text.substr(plain, begin - plain), -1});
    segments.push_back({text.substr(begin, end - begin), token.id});
    plain = end;
  }
  if (plain < text.size()) segments.push_back({text.substr(plain), -1});
  return segments;
}

}  // namespace weft
