#include "runtime/text/bpe.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/text/utf8.h"

namespace weft {
namespace {

constexpr std::string_view kSpaceMarker = "\u2581";
// Words up to this long repeat within a text and are worth remembering; 64 Ki of them bound the
// memory.
constexpr size_t kMaxCachedWordBytes = 48;
constexpr size_t kMaxCachedWords = 1 << 16;
// Symbols are counted in int32 and their offsets in uint32.
constexpr size_t kMaxWordBytes = size_t{1} << 30;

uint64_t PairKey(int32_t left, int32_t right) {
  return (uint64_t{static_cast<uint32_t>(left)} << 32) | static_cast<uint32_t>(right);
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

void Link(std::vector<BpeSymbol>* symbols) {
  for (size_t i = 0; i < symbols->size(); ++i) {
    (*symbols)[i].previous = static_cast<int32_t>(i) - 1;
    (*symbols)[i].next = i + 1 < symbols->size() ? static_cast<int32_t>(i) + 1 : -1;
  }
}

// The first space marker at or after `begin` that follows something else; the end of the word if
// there is none.
size_t FindCut(std::string_view word, size_t begin) {
  for (size_t at = word.find(kSpaceMarker, begin + 1); at != std::string_view::npos;
       at = word.find(kSpaceMarker, at + kSpaceMarker.size())) {
    if (!word.substr(begin, at - begin).ends_with(kSpaceMarker)) return at;
  }
  return word.size();
}

}  // namespace

int ByteOfToken(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  const int high = HexDigit(token[3]);
  const int low = HexDigit(token[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

absl::StatusOr<BpeModel> BpeModel::Create(const TokenizerSpec& spec, const std::string& name) {
  BpeModel model(spec);
  const bool scored = spec.merging == TokenizerSpec::Merging::kScored;
  model.byte_ids_.fill(-1);
  model.pieces_.reserve(spec.tokens.size());
  for (size_t i = 0; i < spec.tokens.size(); ++i) {
    const TokenType type = spec.types[i];
    const auto id = static_cast<int32_t>(i);
    if (type == TokenType::kNormal || type == TokenType::kByte) {
      const int byte = ByteOfToken(spec.tokens[i]);
      if (byte >= 0) model.byte_ids_[byte] = id;
    }
    // SentencePiece keeps control, unknown and byte pieces out of what merging can reach;
    // user-defined and unused pieces take part. A vocabulary with a piece twice means the last one.
    const bool reachable = type == TokenType::kNormal || type == TokenType::kUserDefined ||
                           (scored && type == TokenType::kUnused);
    if (!reachable || spec.tokens[i].empty()) continue;
    model.pieces_[spec.tokens[i]] = id;
    model.longest_piece_ = std::max(model.longest_piece_, spec.tokens[i].size());
  }
  if (!scored) {
    if (absl::Status status = model.BuildMerges(name); !status.ok()) return status;
  }
  model.cut_before_space_marker_ = model.CanCutBeforeSpaceMarker();
  return model;
}

absl::Status BpeModel::BuildMerges(const std::string& name) {
  merges_.reserve(spec_->merges.size());
  std::string made;
  for (size_t rank = 0; rank < spec_->merges.size(); ++rank) {
    const auto [left, right] = spec_->merges[rank];
    made.assign(spec_->tokens[left]).append(spec_->tokens[right]);
    const auto piece = pieces_.find(made);
    if (piece == pieces_.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, ": merge ", rank, " of '", spec_->tokens[left], "' and '",
                       spec_->tokens[right], "' makes something that is not in the vocabulary"));
    }
    merges_[PairKey(left, right)] = {static_cast<int32_t>(rank), piece->second};
  }
  return absl::OkStatus();
}

// SentencePiece-style vocabularies see a whole text as one word. If no merge makes a piece with a
// space marker after something else, then nothing ever merges across that place, and the text can
// be cut there without changing a token.
bool BpeModel::CanCutBeforeSpaceMarker() const {
  if (spec_->ignore_merges || !pieces_.contains(kSpaceMarker)) return false;
  const auto crosses = [](std::string_view piece) { return FindCut(piece, 0) != piece.size(); };
  if (spec_->merging == TokenizerSpec::Merging::kRanked) {
    return std::none_of(merges_.begin(), merges_.end(),
                        [&](const auto& merge) { return crosses(spec_->tokens[merge.second.id]); });
  }
  return std::none_of(pieces_.begin(), pieces_.end(),
                      [&](const auto& piece) { return crosses(piece.first); });
}

absl::Status BpeModel::Encode(absl::Span<const std::string> words,
                              std::vector<int32_t>* ids) const {
  // Views into `words`, and where their tokens stand in `ids`.
  absl::flat_hash_map<std::string_view, std::pair<size_t, size_t>> cache;
  for (const std::string& word : words) {
    if (word.size() >= kMaxWordBytes) {
      return absl::ResourceExhaustedError(
          absl::StrCat("a text of ", word.size(), " bytes in one piece is too long to tokenise"));
    }
    for (size_t begin = 0; begin < word.size();) {
      const size_t end = cut_before_space_marker_ ? FindCut(word, begin) : word.size();
      const std::string_view part = std::string_view(word).substr(begin, end - begin);
      begin = end;
      if (part.size() > kMaxCachedWordBytes) {
        EncodePart(part, ids);
        continue;
      }
      if (const auto known = cache.find(part); known != cache.end()) {
        const auto [first, last] = known->second;
        for (size_t i = first; i < last; ++i) ids->push_back((*ids)[i]);
        continue;
      }
      const size_t first = ids->size();
      EncodePart(part, ids);
      if (cache.size() < kMaxCachedWords) cache.emplace(part, std::pair(first, ids->size()));
    }
  }
  return absl::OkStatus();
}

void BpeModel::EncodePart(std::string_view part, std::vector<int32_t>* ids) const {
  if (spec_->merging == TokenizerSpec::Merging::kScored) {
    EncodeScored(part, ids);
    return;
  }
  if (spec_->ignore_merges) {
    if (const auto piece = pieces_.find(part); piece != pieces_.end()) {
      ids->push_back(piece->second);
      return;
    }
  }
  EncodeRanked(part, ids);
}

void BpeModel::EncodeRanked(std::string_view part, std::vector<int32_t>* ids) const {
  std::vector<BpeSymbol> symbols;
  symbols.reserve(part.size());
  std::vector<int32_t> bytes;
  const auto add = [&](size_t begin, size_t size, int32_t id) {
    symbols.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(size), id, -1, -1});
  };
  size_t unknown_begin = 0;
  size_t unknown_size = 0;  // of the run that is not yet a symbol
  const auto flush_unknown = [&] {
    if (unknown_size > 0) add(unknown_begin, unknown_size, spec_->unk_id);
    unknown_size = 0;
  };
  for (size_t i = 0; i < part.size();) {
    const size_t size = DecodeUtf8(part, i).size;
    const std::string_view character = part.substr(i, size);
    bytes.clear();
    if (const auto piece = pieces_.find(character); piece != pieces_.end()) {
      flush_unknown();
      add(i, size, piece->second);
    } else if (spec_->byte_fallback && AppendByteTokens(character, &bytes)) {
      flush_unknown();
      for (size_t b = 0; b < size; ++b) add(i + b, 1, bytes[b]);
    } else if (spec_->unk_id >= 0) {
      if (!spec_->fuse_unk) flush_unknown();
      if (unknown_size == 0) unknown_begin = i;
      unknown_size += size;
    }
    i += size;
  }
  flush_unknown();
  Link(&symbols);
  MergeSymbols(absl::MakeSpan(symbols),
               [&](const BpeSymbol& left, const BpeSymbol& right, BpeMerge* merge) {
                 const auto found = merges_.find(PairKey(left.id, right.id));
                 if (found == merges_.end()) return false;
                 *merge = {static_cast<double>(found->second.rank), found->second.id};
                 return true;
               });
  for (const BpeSymbol& symbol : symbols) {
    if (symbol.size > 0) ids->push_back(symbol.id);
  }
}

void BpeModel::EncodeScored(std::string_view part, std::vector<int32_t>* ids) const {
  std::vector<BpeSymbol> symbols;
  symbols.reserve(part.size());
  for (size_t i = 0; i < part.size();) {
    const size_t size = DecodeUtf8(part, i).size;
    symbols.push_back({static_cast<uint32_t>(i), static_cast<uint32_t>(size), -1, -1, -1});
    i += size;
  }
  Link(&symbols);
  MergeSymbols(absl::MakeSpan(symbols),
               [&](const BpeSymbol& left, const BpeSymbol& right, BpeMerge* merge) {
                 const size_t size = size_t{left.size} + right.size;
                 if (size > longest_piece_) return false;
                 const auto piece = pieces_.find(part.substr(left.begin, size));
                 if (piece == pieces_.end()) return false;
                 *merge = {-static_cast<double>(spec_->scores[piece->second]), piece->second};
                 return true;
               });
  for (const BpeSymbol& symbol : symbols) {
    if (symbol.size > 0) AppendScoredSymbol(part, symbol, ids);
  }
}

void BpeModel::AppendScoredSymbol(std::string_view part, const BpeSymbol& symbol,
                                  std::vector<int32_t>* ids) const {
  const std::string_view text = part.substr(symbol.begin, symbol.size);
  const auto piece = pieces_.find(text);
  if (piece == pieces_.end()) {
    if (!AppendByteTokens(text, ids) && spec_->unk_id >= 0) ids->push_back(spec_->unk_id);
  } else if (spec_->types[piece->second] == TokenType::kUnused) {
    AppendUnused(piece->second, ids);
  } else {
    ids->push_back(piece->second);
  }
}

// SentencePiece undoes the merges that led to an unused piece. Which ones those were follows from
// the piece itself: the same merging, with the piece kept out of reach.
void BpeModel::AppendUnused(int32_t id, std::vector<int32_t>* ids) const {
  std::vector<std::string_view> open = {spec_->tokens[id]};
  while (!open.empty()) {
    const std::string_view text = open.back();
    open.pop_back();
    const auto piece = pieces_.find(text);
    if (piece != pieces_.end() && spec_->types[piece->second] != TokenType::kUnused) {
      ids->push_back(piece->second);
      continue;
    }
    std::vector<BpeSymbol> symbols;
    for (size_t i = 0; i < text.size();) {
      const size_t size = DecodeUtf8(text, i).size;
      symbols.push_back({static_cast<uint32_t>(i), static_cast<uint32_t>(size), -1, -1, -1});
      i += size;
    }
    if (symbols.size() == 1) {
      if (!AppendByteTokens(text, ids) && spec_->unk_id >= 0) ids->push_back(spec_->unk_id);
      continue;
    }
    Link(&symbols);
    MergeSymbols(absl::MakeSpan(symbols),
                 [&](const BpeSymbol& left, const BpeSymbol& right, BpeMerge* merge) {
                   const size_t size = size_t{left.size} + right.size;
                   if (size >= text.size()) return false;
                   const auto found = pieces_.find(text.substr(left.begin, size));
                   if (found == pieces_.end()) return false;
                   *merge = {-static_cast<double>(spec_->scores[found->second]), found->second};
                   return true;
                 });
    for (auto symbol = symbols.rbegin(); symbol != symbols.rend(); ++symbol) {
      if (symbol->size > 0) open.push_back(text.substr(symbol->begin, symbol->size));
    }
  }
}

bool BpeModel::AppendByteTokens(std::string_view text, std::vector<int32_t>* ids) const {
  for (const char byte : text) {
    if (byte_ids_[static_cast<uint8_t>(byte)] < 0) return false;
  }
  for (const char byte : text) ids->push_back(byte_ids_[static_cast<uint8_t>(byte)]);
  return true;
}

}  // namespace weft
