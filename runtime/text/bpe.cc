#include "runtime/text/bpe.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/hash_map.h"
#include "runtime/text/utf8.h"

namespace weft {
namespace {

// Words up to this long repeat within a text and are worth remembering; 64 Ki of them bound the
// memory.
constexpr size_t kMaxCachedWordBytes = 48;
constexpr size_t kMaxCachedWords = 1 << 16;
// Symbols are counted in int32 and their offsets in uint32.
constexpr size_t kMaxWordBytes = size_t{1} << 30;
// For TextBudget: a part of a word, and a pair of symbols or a piece that is looked up.
constexpr size_t kWorkPerPart = 16;
constexpr size_t kWorkPerLookup = 32;

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

}  // namespace

size_t FindSpaceCut(std::string_view word, size_t begin) {
  for (size_t at = word.find(kSpaceMarker, begin + 1); at != std::string_view::npos;
       at = word.find(kSpaceMarker, at + kSpaceMarker.size())) {
    if (!word.substr(begin, at - begin).ends_with(kSpaceMarker)) return at;
  }
  return word.size();
}

int ByteOfToken(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  const int high = HexDigit(token[3]);
  const int low = HexDigit(token[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

absl::Status BpeModel::Encode(const Words& words, TextBudget& budget,
                              std::vector<int32_t>* ids) const {
  Run run = {budget, ids, {}};
  // Views into `words`, and where their tokens stand in `ids`.
  HashMap<std::string_view, std::pair<size_t, size_t>> cache;
  for (size_t w = 0; w < words.size(); ++w) {
    const std::string_view word = words[w];
    if (word.size() >= kMaxWordBytes) {
      return absl::ResourceExhaustedError(
          absl::StrCat("a text of ", word.size(), " bytes in one piece is too long to tokenise"));
    }
    for (size_t begin = 0; begin < word.size();) {
      const size_t end =
          image_->cuts_before_space_marker() ? FindSpaceCut(word, begin) : word.size();
      const std::string_view part = word.substr(begin, end - begin);
      begin = end;
      if (part.size() > kMaxCachedWordBytes) {
        EncodePart(part, &run);
        if (absl::Status status = budget.CheckTime(0); !status.ok()) return status;
        continue;
      }
      budget.TimeIsUp(kWorkPerPart);
      if (const auto known = cache.find(part); known != cache.end()) {
        const auto [first, last] = known->second;
        for (size_t i = first; i < last; ++i) ids->push_back((*ids)[i]);
        continue;
      }
      const size_t first = ids->size();
      EncodePart(part, &run);
      if (absl::Status status = budget.CheckTime(0); !status.ok()) return status;
      if (cache.size() < kMaxCachedWords) cache.emplace(part, std::pair(first, ids->size()));
    }
  }
  return absl::OkStatus();
}

void BpeModel::EncodePart(std::string_view part, Run* run) const {
  if (settings().merging == TokenizerSettings::Merging::kScored) {
    EncodeScored(part, run);
    return;
  }
  if (settings().ignore_merges) {
    if (const int32_t piece = image_->FindPiece(part); piece >= 0) {
      run->ids->push_back(piece);
      return;
    }
  }
  EncodeRanked(part, run);
}

void BpeModel::EncodeRanked(std::string_view part, Run* run) const {
  std::vector<BpeSymbol> symbols;
  symbols.reserve(part.size());
  std::vector<int32_t> bytes;
  const auto add = [&](size_t begin, size_t size, int32_t id) {
    symbols.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(size), id, -1, -1});
  };
  size_t unknown_begin = 0;
  size_t unknown_size = 0;  // of the run that is not yet a symbol
  const auto flush_unknown = [&] {
    if (unknown_size > 0) add(unknown_begin, unknown_size, settings().unk_id);
    unknown_size = 0;
  };
  for (size_t i = 0; i < part.size();) {
    const size_t size = DecodeUtf8(part, i).size;
    const std::string_view character = part.substr(i, size);
    bytes.clear();
    if (const int32_t piece = image_->FindPiece(character); piece >= 0) {
      flush_unknown();
      add(i, size, piece);
    } else if (settings().byte_fallback && AppendByteTokens(character, &bytes)) {
      flush_unknown();
      for (size_t b = 0; b < size; ++b) add(i + b, 1, bytes[b]);
    } else if (settings().unk_id >= 0) {
      if (!settings().fuse_unk) flush_unknown();
      if (unknown_size == 0) unknown_begin = i;
      unknown_size += size;
    }
    i += size;
  }
  flush_unknown();
  Link(&symbols);
  MergeSymbols(absl::MakeSpan(symbols),
               [&](const BpeSymbol& left, const BpeSymbol& right, BpeMerge* merge) {
                 if (run->budget.TimeIsUp(kWorkPerLookup)) return false;
                 const TokenizerImage::Merge found = image_->FindMerge(left.id, right.id);
                 *merge = {static_cast<double>(found.rank), found.id};
                 return found.rank >= 0;
               });
  for (const BpeSymbol& symbol : symbols) {
    if (symbol.size > 0) run->ids->push_back(symbol.id);
  }
}

bool BpeModel::FindScored(std::string_view text, BpeMerge* merge) const {
  const int32_t piece = image_->FindPiece(text);
  if (piece < 0) return false;
  *merge = {-static_cast<double>(image_->score(piece)), piece};
  return true;
}

std::vector<BpeSymbol> BpeModel::MergeScored(std::string_view text, size_t longest,
                                             TextBudget& budget) const {
  std::vector<BpeSymbol> symbols;
  symbols.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const size_t size = DecodeUtf8(text, i).size;
    symbols.push_back({static_cast<uint32_t>(i), static_cast<uint32_t>(size), -1, -1, -1});
    i += size;
  }
  Link(&symbols);
  MergeSymbols(absl::MakeSpan(symbols),
               [&](const BpeSymbol& left, const BpeSymbol& right, BpeMerge* merge) {
                 const size_t size = size_t{left.size} + right.size;
                 if (size > longest || budget.TimeIsUp(kWorkPerLookup + size)) return false;
                 return FindScored(text.substr(left.begin, size), merge);
               });
  std::erase_if(symbols, [](const BpeSymbol& symbol) { return symbol.size == 0; });
  return symbols;
}

void BpeModel::EncodeScored(std::string_view part, Run* run) const {
  for (const BpeSymbol& symbol : MergeScored(part, image_->longest_piece(), run->budget))
    AppendScoredSymbol(part, symbol, run);
}

void BpeModel::AppendScoredSymbol(std::string_view part, const BpeSymbol& symbol, Run* run) const {
  std::vector<int32_t>* const ids = run->ids;
  const std::string_view text = part.substr(symbol.begin, symbol.size);
  const int32_t piece = image_->FindPiece(text);
  if (piece < 0) {
    if (!AppendByteTokens(text, ids) && settings().unk_id >= 0) ids->push_back(settings().unk_id);
  } else if (image_->type(piece) == TokenType::kUnused) {
    AppendUnused(piece, run);
  } else {
    ids->push_back(piece);
  }
}

// SentencePiece undoes the merges that led to an unused piece. Which ones those were follows from
// the piece itself: the same merging, with the piece kept out of reach.
std::vector<std::string_view> BpeModel::SplitUnused(std::string_view text,
                                                    TextBudget& budget) const {
  std::vector<std::string_view> parts;
  for (const BpeSymbol& symbol : MergeScored(text, text.size() - 1, budget))
    parts.push_back(text.substr(symbol.begin, symbol.size));
  return parts;
}

void BpeModel::AppendUnused(int32_t id, Run* run) const {
  std::vector<std::string_view> open = {image_->token(id)};
  while (!open.empty() && !run->budget.TimeIsUp(kWorkPerLookup)) {
    const std::string_view text = open.back();
    open.pop_back();
    const int32_t piece = image_->FindPiece(text);
    if (piece >= 0 && image_->type(piece) != TokenType::kUnused) {
      run->ids->push_back(piece);
      continue;
    }
    if (piece < 0 || DecodeUtf8(text, 0).size == text.size()) {  // a character
      if (!AppendByteTokens(text, run->ids) && settings().unk_id >= 0)
        run->ids->push_back(settings().unk_id);
      continue;
    }
    auto known = run->unused.find(piece);
    if (known == run->unused.end())
      known = run->unused.emplace(piece, SplitUnused(text, run->budget)).first;
    open.insert(open.end(), known->second.rbegin(), known->second.rend());
  }
}

bool BpeModel::AppendByteTokens(std::string_view text, std::vector<int32_t>* ids) const {
  for (const char byte : text) {
    if (image_->byte_token(static_cast<uint8_t>(byte)) < 0) return false;
  }
  for (const char byte : text) ids->push_back(image_->byte_token(static_cast<uint8_t>(byte)));
  return true;
}

}  // namespace weft
