#include "runtime/text/tokenizer_added.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace weft {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

AddedToken Token(int32_t id, const std::string& content) {
  AddedToken token;
  token.id = id;
  token.content = content;
  token.pattern = content;
  return token;
}

std::vector<std::pair<std::string, int32_t>> Split(
    const std::vector<AddedToken>& tokens, const std::string& text, bool parse_special = true,
    AddedVocabulary::Phase phase = AddedVocabulary::Phase::kRaw) {
  const AddedVocabulary added(tokens);
  std::vector<std::pair<std::string, int32_t>> out;
  const auto segments = added.Split(text, phase, parse_special, TextBudget(text.size()));
  EXPECT_TRUE(segments.ok()) << segments.status();
  if (!segments.ok()) return out;
  for (const AddedVocabulary::Segment& segment : *segments)
    out.emplace_back(segment.text, segment.id);
  return out;
}

TEST(AddedVocabulary, CutsOutTokens) {
  const std::vector<AddedToken> tokens = {Token(5, "<a>"), Token(6, "<b>")};
  EXPECT_THAT(
      Split(tokens, "x<a>y<b><a>"),
      ElementsAre(Pair("x", -1), Pair("<a>", 5), Pair("y", -1), Pair("<b>", 6), Pair("<a>", 5)));
  EXPECT_THAT(Split(tokens, "<a"), ElementsAre(Pair("<a", -1)));
  EXPECT_THAT(Split(tokens, ""), IsEmpty());
  EXPECT_THAT(Split({}, "<a>"), ElementsAre(Pair("<a>", -1)));
}

TEST(AddedVocabulary, TheLeftmostThenTheLongestWins) {
  const std::vector<AddedToken> tokens = {Token(1, "ab"), Token(2, "abcd"), Token(3, "bcde")};
  EXPECT_THAT(Split(tokens, "abcde"), ElementsAre(Pair("abcd", 2), Pair("e", -1)));
  EXPECT_THAT(Split(tokens, "abcx"), ElementsAre(Pair("ab", 1), Pair("cx", -1)));
}

TEST(AddedVocabulary, SpecialTokensCanBeLeftAsText) {
  std::vector<AddedToken> tokens = {Token(1, "<s>"), Token(2, "<t>")};
  tokens[0].special = true;
  EXPECT_THAT(Split(tokens, "<s><t>", /*parse_special=*/false),
              ElementsAre(Pair("<s>", -1), Pair("<t>", 2)));
}

TEST(AddedVocabulary, StrippedWhitespaceGoesWithTheToken) {
  std::vector<AddedToken> tokens = {Token(1, "<l>"), Token(2, "<r>")};
  tokens[0].lstrip = true;
  tokens[1].rstrip = true;
  EXPECT_THAT(Split(tokens, "a \t<l> b <r> \u3000\n c"),
              ElementsAre(Pair("a", -1), Pair(" \t<l>", 1), Pair(" b ", -1),
                          Pair("<r> \u3000\n ", 2), Pair("c", -1)));
  EXPECT_THAT(Split(tokens, "<r> <l>"), ElementsAre(Pair("<r> ", 2), Pair("<l>", 1)));
}

TEST(AddedVocabulary, SingleWordsStandAlone) {
  std::vector<AddedToken> tokens = {Token(1, "in")};
  tokens[0].single_word = true;
  EXPECT_THAT(Split(tokens, "in inn bin in."),
              ElementsAre(Pair("in", 1), Pair(" inn bin ", -1), Pair("in", 1), Pair(".", -1)));
  EXPECT_THAT(Split(tokens, "\u00e9in"), ElementsAre(Pair("\u00e9in", -1)));
  EXPECT_THAT(Split(tokens, "in_"), ElementsAre(Pair("in_", -1)));
}

TEST(AddedVocabulary, NormalizedTokensWaitForTheirPhase) {
  std::vector<AddedToken> tokens = {Token(1, "A"), Token(2, "B")};
  tokens[0].normalized = true;
  tokens[0].pattern = "a";
  EXPECT_THAT(Split(tokens, "aAB"), ElementsAre(Pair("aA", -1), Pair("B", 2)));
  EXPECT_THAT(Split(tokens, "aAB", true, AddedVocabulary::Phase::kNormalized),
              ElementsAre(Pair("a", 1), Pair("AB", -1)));
}

TEST(AddedVocabulary, LongTextsWithManyNearMisses) {
  std::vector<AddedToken> tokens = {Token(1, "<unused0>")};
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += "<unused";
  EXPECT_EQ(Split(tokens, text).size(), 1U);
}

}  // namespace
}  // namespace weft
