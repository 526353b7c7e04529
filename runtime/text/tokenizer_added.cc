#include "runtime/text/tokenizer_added.h"

#include <algorithm>

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

void AddedVocabulary::Trie::Add(std::string_view pattern, int32_t token) {
  uint32_t node = 0;
  begins_[static_cast<uint8_t>(pattern.front())] = true;
  for (const char c : pattern) {
    const uint64_t key = (uint64_t{node} << 8) | static_cast<uint8_t>(c);
    const auto [edge, added] = edges_.emplace(key, static_cast<uint32_t>(token_of_node_.size()));
    if (added) token_of_node_.push_back(-1);
    node = edge->second;
  }
  token_of_node_[node] = token;
}

AddedVocabulary::Trie::Match AddedVocabulary::Trie::Find(std::string_view text,
                                                         size_t offset) const {
  Match best = {-1, offset};
  if (!begins_[static_cast<uint8_t>(text[offset])]) return best;
  uint32_t node = 0;
  for (size_t i = offset; i < text.size(); ++i) {
    const auto edge = edges_.find((uint64_t{node} << 8) | static_cast<uint8_t>(text[i]));
    if (edge == edges_.end()) break;
    node = edge->second;
    if (token_of_node_[node] >= 0) best = {token_of_node_[node], i + 1};
  }
  return best;
}

AddedVocabulary::AddedVocabulary(absl::Span<const AddedToken> tokens) : tokens_(tokens) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    Trie& trie = tokens[i].normalized ? normalized_ : raw_;
    trie.Add(tokens[i].pattern, static_cast<int32_t>(i));
  }
}

std::vector<AddedVocabulary::Segment> AddedVocabulary::Split(std::string_view text, Phase phase,
                                                             bool parse_special) const {
  const Trie& trie = phase == Phase::kRaw ? raw_ : normalized_;
  std::vector<Segment> segments;
  size_t plain = 0;  // where the text begins that no segment holds yet
  // A run of whitespace that was skipped. Tokens of whitespace may each skip the same one, which
  // would be quadratic in it.
  size_t blank_begin = 0;
  size_t blank_end = 0;
  for (size_t i = 0; i < text.size();) {
    const Trie::Match match = trie.Find(text, i);
    if (match.token < 0) {
      ++i;
      continue;
    }
    size_t begin = i;
    size_t end = match.end;
    i = end;  // what is passed over below is not searched again
    const AddedToken& token = tokens_[match.token];
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
    if (plain < begin) segments.push_back({text.substr(plain, begin - plain), -1});
    segments.push_back({text.substr(begin, end - begin), token.id});
    plain = end;
  }
  if (plain < text.size()) segments.push_back({text.substr(plain), -1});
  return segments;
}

}  // namespace weft
