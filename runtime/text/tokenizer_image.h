// A tokenizer as it runs and as a plan carries it: one block of bytes, mapped and used in place,
// with the tables of lookups made in advance, so that a vocabulary of 262,144 tokens takes no time
// to load. docs/plan-format.md describes the bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "runtime/text/tokenizer_spec.h"

namespace weft {

// The bytes begin with this; then stand, each right behind the one before, i32 byte_tokens[256],
// u32 offsets[tokens + 1], f32 scores[scores], i32 merges[merges][3] (left, right, made), i32
// pieces[piece_slots], i32 merge_ranks[merge_slots], AddedEntry added[added], u8 types[tokens],
// char text[text_bytes], and the settings as JSON.
struct TokenizerImageHeader {
  std::array<char, 8> magic;
  uint32_t version;
  uint32_t tokens;
  uint32_t text_bytes;
  uint32_t scores;  // as many as tokens, or 0
  uint32_t merges;
  uint32_t piece_slots;  // both powers of two, at least 2
  uint32_t merge_slots;
  uint32_t added;
  uint32_t longest_piece;             // bytes
  uint32_t cuts_before_space_marker;  // 1: no merge crosses the place before a space marker
  uint32_t json_bytes;
  uint32_t zero;
};
static_assert(sizeof(TokenizerImageHeader) == 56);

inline constexpr std::array<char, 8> kTokenizerMagic = {'W', 'E', 'F', 'T', 'T', 'O', 'K', 'N'};
inline constexpr uint32_t kTokenizerVersion = 1;

// An added token: texts are stretches of `text`.
struct AddedEntry {
  int32_t id;
  uint32_t flags;  // 1 special, 2 lstrip, 4 rstrip, 8 single_word, 16 normalized
  uint32_t content_begin, content_bytes;
  uint32_t pattern_begin, pattern_bytes;
};
static_assert(sizeof(AddedEntry) == 24);

// The most slots in a row of a table that are taken, and so the most that a search looks at. In a
// half-full table of random slots, runs of k come with a chance of e^(-0.193 k) (0.193 = ln 2 -
// 1/2; Knuth 6.4), which makes one of 256 as likely as 10^-15 among 2^21 tokens. Texts and pairs
// are not random: the longest run of known tokenizers is 28, that of 2^20 numbers in eight
// hexadecimal digits 416. A file whose texts collide on purpose is refused.
inline constexpr size_t kMaxRun = 1024;

// Where a search begins in a hash table of `slots`; it goes on slot by slot, from the last to the
// first, up to an empty one (-1).
size_t PieceSlot(std::string_view text, size_t slots);
size_t MergeSlot(int32_t left, int32_t right, size_t slots);

// Immutable; safe to use from many threads.
class TokenizerImage {
 public:
  // Of bytes that MakeTokenizerImage made, which must outlive this. Checks whatever lookups rely
  // on, so that damage gives an InvalidArgument that begins with `name`, or wrong tokens, no crash.
  static absl::StatusOr<TokenizerImage> Read(std::string_view bytes, const std::string& name);

  std::string_view bytes() const { return bytes_; }
  // The bytes with other special ids.
  std::string BytesWith(const SpecialIds& ids) const;

  const TokenizerSettings& settings() const { return settings_; }
  // One more than the largest id. Ids below are of 0 to size() - 1.
  size_t size() const { return header_.tokens; }
  std::string_view token(int32_t id) const;
  TokenType type(int32_t id) const { return static_cast<TokenType>(types_[id]); }
  float score(int32_t id) const { return Load<float>(scores_, static_cast<size_t>(id)); }
  // "<0xNN>", or -1 where the vocabulary has none.
  int32_t byte_token(uint8_t byte) const { return Load<int32_t>(byte_tokens_, byte); }

  size_t longest_piece() const { return header_.longest_piece; }
  bool cuts_before_space_marker() const { return header_.cuts_before_space_marker != 0; }
  // The token of this text that merging can make; -1: none.
  int32_t FindPiece(std::string_view text) const;
  struct Merge {
    int32_t rank;  // -1: the two do not merge
    int32_t id;    // what they make
  };
  Merge FindMerge(int32_t left, int32_t right) const;

 private:
  TokenizerImage() = default;
  absl::Status Place(const std::string& name);
  absl::Status Check(const std::string& name) const;
  absl::Status ReadAdded(const std::string& name);

  template <typename T>
  static T Load(const char* array, size_t index) {
    T value;
    std::memcpy(&value, array + index * sizeof(T), sizeof(T));
    return value;
  }

  std::string_view bytes_;
  TokenizerImageHeader header_ = {};
  TokenizerSettings settings_;
  // Arrays in bytes_, not aligned.
  const char* byte_tokens_ = nullptr;
  const char* offsets_ = nullptr;
  const char* scores_ = nullptr;
  const char* merges_ = nullptr;
  const char* pieces_ = nullptr;
  const char* merge_ranks_ = nullptr;
  const char* added_ = nullptr;
  const char* types_ = nullptr;
  const char* text_ = nullptr;
  const char* json_ = nullptr;
};

}  // namespace weft
