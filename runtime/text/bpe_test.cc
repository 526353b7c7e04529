#include "runtime/text/bpe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "runtime/text/make_tokenizer_image.h"

namespace weft {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Pieces = std::vector<std::string>;

// The pieces that `text` becomes, as one word.
Pieces Encode(const TokenizerSpec& spec, const std::string& text) {
  const absl::StatusOr<std::string> bytes = MakeTokenizerImage(spec, "t");
  if (!bytes.ok()) return {std::string(bytes.status().message())};
  const absl::StatusOr<TokenizerImage> image = TokenizerImage::Read(*bytes, "t");
  if (!image.ok()) return {std::string(image.status().message())};
  std::vector<int32_t> ids;
  TextBudget budget(text.size());
  const absl::Status status = BpeModel(*image).Encode({text, {{0, text.size()}}}, budget, &ids);
  if (!status.ok()) return {std::string(status.message())};
  Pieces pieces;
  for (const int32_t id : ids) pieces.push_back(spec.tokens[id]);
  return pieces;
}

TokenizerSpec Ranked(const Pieces& tokens,
                     const std::vector<std::pair<std::string, std::string>>& merges) {
  TokenizerSpec spec;
  spec.tokens = tokens;
  spec.types.assign(tokens.size(), TokenType::kNormal);
  const auto id = [&](const std::string& token) {
    return static_cast<int32_t>(std::find(tokens.begin(), tokens.end(), token) - tokens.begin());
  };
  for (const auto& [left, right] : merges) spec.merges.emplace_back(id(left), id(right));
  return spec;
}

struct Piece {
  std::string text;
  float score;
  TokenType type = TokenType::kNormal;
};

TokenizerSpec Scored(const std::vector<Piece>& pieces) {
  TokenizerSpec spec;
  spec.merging = TokenizerSpec::Merging::kScored;
  for (const Piece& piece : pieces) {
    spec.tokens.push_back(piece.text);
    spec.scores.push_back(piece.score);
    spec.types.push_back(piece.type);
  }
  return spec;
}

TEST(BpeRanked, TheEarliestMergeGoesFirst) {
  const Pieces tokens = {"a", "b", "c", "ab", "bc", "abc"};
  EXPECT_THAT(Encode(Ranked(tokens, {{"a", "b"}, {"b", "c"}}), "abc"), ElementsAre("ab", "c"));
  EXPECT_THAT(Encode(Ranked(tokens, {{"b", "c"}, {"a", "b"}}), "abc"), ElementsAre("a", "bc"));
  EXPECT_THAT(Encode(Ranked(tokens, {{"b", "c"}, {"a", "b"}, {"a", "bc"}}), "abcab"),
              ElementsAre("abc", "ab"));
  EXPECT_THAT(Encode(Ranked(tokens, {{"a", "b"}, {"ab", "c"}}), "abcb"), ElementsAre("abc", "b"));
  EXPECT_THAT(Encode(Ranked(tokens, {}), ""), IsEmpty());
}

TEST(BpeRanked, TheLeftmostOfEqualsGoesFirst) {
  const TokenizerSpec spec = Ranked({"a", "aa", "aaaa"}, {{"a", "a"}, {"aa", "aa"}});
  EXPECT_THAT(Encode(spec, "aaa"), ElementsAre("aa", "a"));
  EXPECT_THAT(Encode(spec, "aaaaaaa"), ElementsAre("aaaa", "aa", "a"));
}

TEST(BpeRanked, ALaterMergeOfTheSamePairWins) {
  // As a hash map filled in order does: (a, b) then has rank 2 and (b, c) goes first.
  const Pieces tokens = {"a", "b", "c", "ab", "bc"};
  EXPECT_THAT(Encode(Ranked(tokens, {{"a", "b"}, {"b", "c"}, {"a", "b"}}), "abc"),
              ElementsAre("a", "bc"));
}

TEST(BpeRanked, UnknownCharacters) {
  TokenizerSpec spec = Ranked({"a", "<unk>", "aa"}, {{"a", "a"}});
  EXPECT_THAT(Encode(spec, "axya"), ElementsAre("aa")) << "without unk they vanish before merging";
  spec.unk_id = 1;
  EXPECT_THAT(Encode(spec, "axya"), ElementsAre("a", "<unk>", "<unk>", "a"));
  spec.fuse_unk = true;
  EXPECT_THAT(Encode(spec, "axya\u00e9"), ElementsAre("a", "<unk>", "a", "<unk>"));
}

TEST(BpeRanked, ByteFallback) {
  TokenizerSpec spec = Ranked({"a", "<unk>", "<0xC3>", "<0xA9>"}, {});
  spec.unk_id = 1;
  EXPECT_THAT(Encode(spec, "a\u00e9"), ElementsAre("a", "<unk>"));
  spec.byte_fallback = true;
  EXPECT_THAT(Encode(spec, "a\u00e9"), ElementsAre("a", "<0xC3>", "<0xA9>"));
  EXPECT_THAT(Encode(spec, "\u00e8a"), ElementsAre("<unk>", "a")) << "<0xA8> is missing";
}

TEST(BpeRanked, IgnoreMergesTakesWholeWords) {
  TokenizerSpec spec = Ranked({"a", "b", "ab"}, {});
  EXPECT_THAT(Encode(spec, "ab"), ElementsAre("a", "b"));
  spec.ignore_merges = true;
  EXPECT_THAT(Encode(spec, "ab"), ElementsAre("ab"));
  EXPECT_THAT(Encode(spec, "aba"), ElementsAre("a", "b", "a"));
}

TEST(BpeRanked, TokensThatAreNoPiecesStayOutOfReach) {
  TokenizerSpec spec = Ranked({"a", "b", "ab"}, {});
  spec.ignore_merges = true;
  spec.types[2] = TokenType::kControl;
  EXPECT_THAT(Encode(spec, "ab"), ElementsAre("a", "b"));
  spec.types[2] = TokenType::kAddedOnly;
  EXPECT_THAT(Encode(spec, "ab"), ElementsAre("a", "b"));
}

TEST(BpeRanked, AMergeIntoNothingIsAnError) {
  EXPECT_THAT(
      Encode(Ranked({"a", "b"}, {{"a", "b"}}), "x"),
      ElementsAre(HasSubstr("t: merge 0 of 'a' and 'b' makes something that is not in the")));
}

// Worked by hand after the algorithm of SentencePiece's bpe_model.cc: of all neighbours that form a
// piece, the one with the highest score merges first.
TEST(BpeScored, TheHighestScoreGoesFirst) {
  const std::vector<Piece> pieces = {{"h", -10}, {"e", -10}, {"l", -10},  {"o", -10},  {"he", -1},
                                     {"ll", -2}, {"lo", -3}, {"llo", -4}, {"hell", -5}};
  // he | l l o → he | ll | o → of "hell" (-5) and "llo" (-4) the second.
  EXPECT_THAT(Encode(Scored(pieces), "hello"), ElementsAre("he", "llo"));
  std::vector<Piece> more = pieces;
  more.push_back({"hello", -99});
  EXPECT_THAT(Encode(Scored(more), "hello"), ElementsAre("hello")) << "any score beats none";
  more = pieces;
  more[8].score = -3.5F;
  EXPECT_THAT(Encode(Scored(more), "hello"), ElementsAre("hell", "o"));
  EXPECT_THAT(Encode(Scored(pieces), "lol"), ElementsAre("lo", "l"));
}

TEST(BpeScored, TheLeftmostOfEqualsGoesFirst) {
  EXPECT_THAT(Encode(Scored({{"a", 0}, {"aa", -1}}), "aaaaa"), ElementsAre("aa", "aa", "a"));
  EXPECT_THAT(Encode(Scored({{"a", 0}, {"b", 0}, {"ab", -1}, {"ba", -1}}), "aba"),
              ElementsAre("ab", "a"));
}

TEST(BpeScored, FallsBackToBytesThenToUnk) {
  std::vector<Piece> pieces = {{"<unk>", 0, TokenType::kUnknown},
                               {"a", -1},
                               {"<0xC3>", 0, TokenType::kByte},
                               {"<0xA9>", 0, TokenType::kByte}};
  TokenizerSpec spec = Scored(pieces);
  spec.unk_id = 0;
  EXPECT_THAT(Encode(spec, "a\u00e9\u00e8"), ElementsAre("a", "<0xC3>", "<0xA9>", "<unk>"));
  spec.unk_id = -1;
  EXPECT_THAT(Encode(spec, "\u00e8a"), ElementsAre("a"));
}

TEST(BpeScored, OnlyPiecesMerge) {
  const auto with = [](TokenType type) {
    return Encode(Scored({{"a", -1}, {"b", -1}, {"ab", -1, type}}), "ab");
  };
  EXPECT_THAT(with(TokenType::kNormal), ElementsAre("ab"));
  EXPECT_THAT(with(TokenType::kUserDefined), ElementsAre("ab"));
  EXPECT_THAT(with(TokenType::kControl), ElementsAre("a", "b"));
  EXPECT_THAT(with(TokenType::kUnknown), ElementsAre("a", "b"));
  EXPECT_THAT(with(TokenType::kByte), ElementsAre("a", "b"));
}

TEST(BpeScored, UnusedPiecesComeApartAgain) {
  constexpr TokenType kUnused = TokenType::kUnused;
  EXPECT_THAT(Encode(Scored({{"a", -9}, {"b", -9}, {"ab", -1, kUnused}}), "ab"),
              ElementsAre("a", "b"));
  // abc is made of ab and c, and ab of a and b; bc has the lower score and never merged.
  const std::vector<Piece> pieces = {{"a", -9},  {"b", -9},           {"c", -9},
                                     {"bc", -3}, {"ab", -1, kUnused}, {"abc", -2, kUnused}};
  EXPECT_THAT(Encode(Scored(pieces), "abc"), ElementsAre("a", "b", "c"));
  std::vector<Piece> used = pieces;
  used[4].type = TokenType::kNormal;
  EXPECT_THAT(Encode(Scored(used), "abc"), ElementsAre("ab", "c"));
}

TEST(BpeScored, PiecesMayCrossSpaces) {
  const std::vector<Piece> pieces = {{"a", -9},
                                     {"b", -9},
                                     {"\u2581", -9},
                                     {"\u2581"
                                      "b",
                                      -5}};
  EXPECT_THAT(Encode(Scored(pieces),
                     "a\u2581"
                     "b\u2581\u2581"
                     "a"),
              ElementsAre("a",
                          "\u2581"
                          "b",
                          "\u2581", "\u2581", "a"));
  std::vector<Piece> crossing = pieces;
  crossing.push_back({"a\u2581", -4});
  EXPECT_THAT(Encode(Scored(crossing),
                     "a\u2581"
                     "b"),
              ElementsAre("a\u2581", "b"));
}

TEST(Bpe, RepeatedWordsAreTheSameEachTime) {
  const TokenizerSpec spec = Ranked({"a", "b", "ab"}, {{"a", "b"}});
  const absl::StatusOr<std::string> bytes = MakeTokenizerImage(spec, "t");
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  const absl::StatusOr<TokenizerImage> image = TokenizerImage::Read(*bytes, "t");
  ASSERT_TRUE(image.ok()) << image.status();
  const std::string longer(100, 'a');
  std::vector<int32_t> ids = {7};
  Words words;
  for (const std::string& word : Pieces{"aba", "b", "aba", longer, longer, "aba"}) {
    words.ranges.push_back({words.text.size(), words.text.size() + word.size()});
    words.text += word;
  }
  TextBudget budget(words.text.size());
  ASSERT_TRUE(BpeModel(*image).Encode(words, budget, &ids).ok());
  std::vector<int32_t> expected = {7, 2, 0, 1, 2, 0};
  expected.insert(expected.end(), 200, 0);
  expected.insert(expected.end(), {2, 0});
  EXPECT_EQ(ids, expected);
}

// A merge loop that looked at all pairs each time would take days.
TEST(Bpe, OneWordOfAMillionCharacters) {
  const std::string text(1'000'000, 'a');
  EXPECT_EQ(Encode(Ranked({"a", "aa", "aaaa"}, {{"a", "a"}, {"aa", "aa"}}), text).size(), 250'000U);
  EXPECT_EQ(Encode(Scored({{"a", -3}, {"aa", -2}, {"aaaa", -1}}), text).size(), 250'000U);
}

TEST(Bpe, ByteOfToken) {
  EXPECT_EQ(ByteOfToken("<0x0A>"), 10);
  EXPECT_EQ(ByteOfToken("<0xff>"), 255);
  for (const char* token :
       {"", "<0x0A", "<0x0G>", "<0xA>", "0x0A", "<0x0A>>", "[0x0A]", "<0x0A)"}) {
    EXPECT_EQ(ByteOfToken(token), -1) << token;
  }
}

}  // namespace
}  // namespace weft
