#include "runtime/text/make_tokenizer_image.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "runtime/text/bpe.h"
#include "runtime/text/terminal_text.h"
#include "runtime/text/tokenizer_image.h"
#include "runtime/text/utf8.h"

namespace weft {
namespace {

using Pieces = absl::flat_hash_map<std::string_view, int32_t>;

template <typename T>
void Append(const std::vector<T>& values, std::string* bytes) {
  bytes->append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

// At most half full.
size_t SlotsFor(size_t entries) { return std::bit_ceil(std::max<size_t>(2 * entries, 2)); }

// SentencePiece keeps control, unknown and byte pieces out of what merging can reach; user-defined
// and unused pieces take part. A vocabulary with a piece twice means the last one.
Pieces ReachablePieces(const TokenizerSpec& spec) {
  const bool scored = spec.merging == TokenizerSpec::Merging::kScored;
  Pieces pieces;
  pieces.reserve(spec.tokens.size());
  for (size_t i = 0; i < spec.tokens.size(); ++i) {
    const TokenType type = spec.types[i];
    const bool reachable = type == TokenType::kNormal || type == TokenType::kUserDefined ||
                           (scored && type == TokenType::kUnused);
    if (reachable && !spec.tokens[i].empty()) pieces[spec.tokens[i]] = static_cast<int32_t>(i);
  }
  return pieces;
}

std::vector<int32_t> ByteTokens(const TokenizerSpec& spec) {
  std::vector<int32_t> ids(256, -1);
  for (size_t i = 0; i < spec.tokens.size(); ++i) {
    if (spec.types[i] != TokenType::kNormal && spec.types[i] != TokenType::kByte) continue;
    const int byte = ByteOfToken(spec.tokens[i]);
    if (byte >= 0) ids[static_cast<size_t>(byte)] = static_cast<int32_t>(i);
  }
  return ids;
}

// Left, right and what they make, by rank.
absl::StatusOr<std::vector<int32_t>> Merges(const TokenizerSpec& spec, const Pieces& pieces,
                                            const std::string& name) {
  std::vector<int32_t> merges;
  merges.reserve(3 * spec.merges.size());
  std::string made;
  for (const auto& [left, right] : spec.merges) {
    made.assign(spec.tokens[left]).append(spec.tokens[right]);
    const auto piece = pieces.find(made);
    if (piece == pieces.end()) {
      return absl::InvalidArgumentError(absl::StrCat(
          name, ": merge ", merges.size() / 3, " of ", QuotedText(spec.tokens[left]), " and ",
          QuotedText(spec.tokens[right]), " makes something that is not in the vocabulary"));
    }
    merges.insert(merges.end(), {left, right, piece->second});
  }
  return merges;
}

// The first empty slot from `slot` on, or one that `is_same` tells; -1: too far (kMaxRun).
template <typename IsSame>
int64_t FindSlot(const std::vector<int32_t>& slots, size_t slot, const IsSame& is_same) {
  for (size_t probes = 0; probes <= kMaxRun; ++probes) {
    if (slots[slot] < 0 || is_same(slots[slot])) return static_cast<int64_t>(slot);
    slot = (slot + 1) & (slots.size() - 1);
  }
  return -1;
}

// Of pieces with one text the last. Empty where too many collide.
std::vector<int32_t> PieceTable(const TokenizerSpec& spec, const Pieces& pieces) {
  std::vector<int32_t> slots(SlotsFor(pieces.size()), -1);
  for (size_t i = 0; i < spec.tokens.size(); ++i) {
    const auto piece = pieces.find(spec.tokens[i]);
    if (piece == pieces.end() || piece->second != static_cast<int32_t>(i)) continue;
    const int64_t slot =
        FindSlot(slots, PieceSlot(spec.tokens[i], slots.size()), [](int32_t) { return false; });
    if (slot < 0) return {};
    slots[static_cast<size_t>(slot)] = piece->second;
  }
  return slots;
}

// Of merges of one pair the last, as a map that is filled in order has it. Empty where too many
// collide.
std::vector<int32_t> MergeTable(const std::vector<int32_t>& merges) {
  const size_t count = merges.size() / 3;
  std::vector<int32_t> slots(SlotsFor(count), -1);
  const auto same = [&merges](size_t a, size_t b) {
    return merges[3 * a] == merges[3 * b] && merges[3 * a + 1] == merges[3 * b + 1];
  };
  for (size_t rank = 0; rank < count; ++rank) {
    const int64_t slot =
        FindSlot(slots, MergeSlot(merges[3 * rank], merges[3 * rank + 1], slots.size()),
                 [&](int32_t other) { return same(static_cast<size_t>(other), rank); });
    if (slot < 0) return {};
    slots[static_cast<size_t>(slot)] = static_cast<int32_t>(rank);
  }
  return slots;
}

// SentencePiece-style vocabularies see a whole text as one word. If no merge makes a piece with a
// space marker after something else, then nothing ever merges across that place, and the text can
// be cut there without changing a token.
bool CutsBeforeSpaceMarker(const TokenizerSpec& spec, const Pieces& pieces,
                           const std::vector<int32_t>& merges) {
  if (spec.ignore_merges || !pieces.contains(kSpaceMarker)) return false;
  const auto crosses = [](std::string_view piece) {
    return FindSpaceCut(piece, 0) != piece.size();
  };
  if (spec.merging == TokenizerSpec::Merging::kScored) {
    return std::none_of(pieces.begin(), pieces.end(),
                        [&](const auto& piece) { return crosses(piece.first); });
  }
  for (size_t i = 2; i < merges.size(); i += 3) {
    if (crosses(spec.tokens[merges[i]])) return false;
  }
  return true;
}

// The texts of added tokens are those of tokens as a rule; others stand behind these.
class Texts {
 public:
  explicit Texts(const TokenizerSpec& spec) : tokens_(spec.tokens) {
    for (const std::string& token : tokens_) {
      offsets_.push_back(static_cast<uint32_t>(text_.size()));
      text_ += token;
    }
    offsets_.push_back(static_cast<uint32_t>(text_.size()));
  }

  AddedEntry Add(const AddedToken& token) {
    const auto flag = [](bool value, uint32_t bit) { return value ? bit : 0; };
    AddedEntry entry = {};
    entry.id = token.id;
    entry.flags = flag(token.special, 1) | flag(token.lstrip, 2) | flag(token.rstrip, 4) |
                  flag(token.single_word, 8) | flag(token.normalized, 16);
    entry.content_begin = Place(token.id, token.content);
    entry.content_bytes = static_cast<uint32_t>(token.content.size());
    entry.pattern_begin = Place(token.id, token.pattern);
    entry.pattern_bytes = static_cast<uint32_t>(token.pattern.size());
    return entry;
  }

  const std::vector<uint32_t>& offsets() const { return offsets_; }
  const std::string& text() const { return text_; }

 private:
  uint32_t Place(int32_t id, const std::string& text) {
    if (text == tokens_[id]) return offsets_[id];
    text_ += text;
    return static_cast<uint32_t>(text_.size() - text.size());
  }

  const std::vector<std::string>& tokens_;
  std::vector<uint32_t> offsets_;
  std::string text_;
};

}  // namespace

absl::StatusOr<std::string> MakeTokenizerImage(const TokenizerSpec& spec, const std::string& name) {
  const bool scored = spec.merging == TokenizerSpec::Merging::kScored;
  const Pieces pieces = ReachablePieces(spec);
  std::vector<int32_t> merges;
  if (!scored) {
    absl::StatusOr<std::vector<int32_t>> found = Merges(spec, pieces, name);
    if (!found.ok()) return found.status();
    merges = *std::move(found);
  }
  Texts texts(spec);
  std::vector<AddedEntry> added;
  for (const AddedToken& token : spec.added_tokens) added.push_back(texts.Add(token));
  const std::vector<int32_t> piece_table = PieceTable(spec, pieces);
  const std::vector<int32_t> merge_table = MergeTable(merges);
  if (piece_table.empty() || merge_table.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        name, ": more than ", kMaxRun, " tokens or merges in a row collide in a table"));
  }
  const std::string json = SettingsToJson(spec, spec.special_ids);
  constexpr size_t kMaxBytes = size_t{1} << 31;  // what offsets can tell, and no vocabulary has
  if (texts.text().size() > kMaxBytes || json.size() > kMaxBytes || merges.size() > kMaxBytes)
    return absl::InvalidArgumentError(absl::StrCat(name, ": the vocabulary is too large"));

  TokenizerImageHeader header = {};
  header.magic = kTokenizerMagic;
  header.version = kTokenizerVersion;
  header.tokens = static_cast<uint32_t>(spec.tokens.size());
  header.text_bytes = static_cast<uint32_t>(texts.text().size());
  header.scores = scored ? header.tokens : 0;
  header.merges = static_cast<uint32_t>(merges.size() / 3);
  header.piece_slots = static_cast<uint32_t>(piece_table.size());
  header.merge_slots = static_cast<uint32_t>(merge_table.size());
  header.added = static_cast<uint32_t>(added.size());
  for (const auto& [text, id] : pieces)
    header.longest_piece = std::max(header.longest_piece, static_cast<uint32_t>(text.size()));
  header.cuts_before_space_marker = CutsBeforeSpaceMarker(spec, pieces, merges) ? 1 : 0;
  header.json_bytes = static_cast<uint32_t>(json.size());

  std::string bytes(sizeof(header), '\0');
  std::memcpy(bytes.data(), &header, sizeof(header));
  Append(ByteTokens(spec), &bytes);
  Append(texts.offsets(), &bytes);
  if (scored) Append(spec.scores, &bytes);
  Append(merges, &bytes);
  Append(piece_table, &bytes);
  Append(merge_table, &bytes);
  Append(added, &bytes);
  Append(spec.types, &bytes);
  return bytes + texts.text() + json;
}

}  // namespace weft
