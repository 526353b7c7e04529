#include "runtime/text/pre_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace weft {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Strings = std::vector<std::string>;

Strings Split(const std::string& config, const std::string& text, bool at_start = true) {
  const absl::StatusOr<PreTokenizer> pre_tokenizer =
      PreTokenizer::Create(json::parse(config), "t.json: pre_tokenizer");
  if (!pre_tokenizer.ok()) return {std::string(pre_tokenizer.status().message())};
  TextBudget budget(text.size());
  const absl::StatusOr<Words> words = pre_tokenizer->Split(text, at_start, budget);
  if (!words.ok()) return {std::string(words.status().message())};
  Strings strings;
  for (size_t i = 0; i < words->size(); ++i) strings.emplace_back((*words)[i]);
  return strings;
}

std::string SplitConfig(const std::string& behavior, bool invert,
                        const std::string& pattern = R"({"String": "-"})") {
  return absl::StrCat(R"({"type": "Split", "pattern": )", pattern, R"(, "behavior": ")", behavior,
                      R"(", "invert": )", invert ? "true" : "false", "}");
}

// The example of the Hugging Face documentation of SplitDelimiterBehavior.
TEST(PreTokenizer, SplitBehaviors) {
  const std::string text = "the-final--countdown";
  EXPECT_THAT(Split(SplitConfig("Removed", false), text), ElementsAre("the", "final", "countdown"));
  EXPECT_THAT(Split(SplitConfig("Isolated", false), text),
              ElementsAre("the", "-", "final", "-", "-", "countdown"));
  EXPECT_THAT(Split(SplitConfig("MergedWithPrevious", false), text),
              ElementsAre("the-", "final-", "-", "countdown"));
  EXPECT_THAT(Split(SplitConfig("MergedWithNext", false), text),
              ElementsAre("the", "-final", "-", "-countdown"));
  EXPECT_THAT(Split(SplitConfig("Contiguous", false), text),
              ElementsAre("the", "-", "final", "--", "countdown"));
}

TEST(PreTokenizer, SplitInverted) {
  const std::string words = R"({"Regex": "\\p{L}+"})";
  EXPECT_THAT(Split(SplitConfig("Removed", true, words), "ab, cd"), ElementsAre("ab", "cd"));
  EXPECT_THAT(Split(SplitConfig("MergedWithNext", true, words), ", cd"), ElementsAre(", cd"));
  EXPECT_THAT(Split(SplitConfig("Isolated", true, words), ""), IsEmpty());
  EXPECT_THAT(Split(SplitConfig("Removed", false), "---"), IsEmpty());
}

TEST(PreTokenizer, Gpt2Pattern) {
  const std::string config = absl::StrCat(R"({"type": "ByteLevel", "add_prefix_space": false})");
  EXPECT_THAT(Split(config, "Hello, y'all've  12a!?\n\n x "),
              ElementsAre("Hello", ",", "\u0120y", "'", "all", "'ve", "\u0120", "\u012012", "a",
                          "!?", "\u010A\u010A", "\u0120x", "\u0120"));
  EXPECT_THAT(Split(R"({"type": "ByteLevel", "use_regex": false})", "a b"),
              ElementsAre("\u0120a\u0120b"));
  EXPECT_THAT(Split(R"({"type": "ByteLevel", "use_regex": false})", " a"), ElementsAre("\u0120a"));
  EXPECT_THAT(Split(config, ""), IsEmpty());
}

TEST(PreTokenizer, Digits) {
  EXPECT_THAT(Split(R"({"type": "Digits", "individual_digits": true})", "in 1999\u00b2!"),
              ElementsAre("in ", "1", "9", "9", "9", "\u00b2", "!"));
  EXPECT_THAT(Split(R"({"type": "Digits", "individual_digits": false})", "in 1999\u00b2!"),
              ElementsAre("in ", "1999\u00b2", "!"));
}

TEST(PreTokenizer, Whitespace) {
  EXPECT_THAT(Split(R"({"type": "Whitespace"})", "Hey man!? e\u0301_1\u3000x"),
              ElementsAre("Hey", "man", "!?", "e\u0301_1", "x"));
  EXPECT_THAT(Split(R"({"type": "WhitespaceSplit"})", " Hey  man!?\u3000x"),
              ElementsAre("Hey", "man!?", "x"));
}

TEST(PreTokenizer, Metaspace) {
  EXPECT_THAT(Split(R"({"type": "Metaspace", "replacement": "\u2581"})", "Hey you"),
              ElementsAre("\u2581Hey", "\u2581you"));
  EXPECT_THAT(Split(R"({"type": "Metaspace", "replacement": "_", "split": false})", "Hey you"),
              ElementsAre("_Hey_you"));
  EXPECT_THAT(Split(R"({"type": "Metaspace", "replacement": "_"})", " Hey  you"),
              ElementsAre("_Hey", "_", "_you"));
  const std::string first =
      R"({"type": "Metaspace", "replacement": "_", "prepend_scheme": "first"})";
  EXPECT_THAT(Split(first, "a b", /*at_start=*/true), ElementsAre("_a", "_b"));
  EXPECT_THAT(Split(first, "a b", /*at_start=*/false), ElementsAre("a", "_b"));
  EXPECT_THAT(
      Split(R"({"type": "Metaspace", "replacement": "_", "prepend_scheme": "never"})", "a b"),
      ElementsAre("a", "_b"));
  EXPECT_THAT(
      Split(R"({"type": "Metaspace", "replacement": "_", "add_prefix_space": false})", "a b"),
      ElementsAre("a", "_b"))
      << "the field of older files";
}

TEST(PreTokenizer, SequencesApplyInOrder) {
  EXPECT_THAT(Split(R"({"type": "Sequence", "pretokenizers": [
      {"type": "Digits", "individual_digits": true},
      {"type": "ByteLevel", "add_prefix_space": false}]})",
                    "in 12"),
              ElementsAre("in", "\u0120", "1", "2"));
  EXPECT_THAT(Split("null", "a b"), ElementsAre("a b"));
}

TEST(PreTokenizer, OneMillionBytesOfEachKind) {
  const std::string config = R"({"type": "ByteLevel", "add_prefix_space": false})";
  constexpr size_t kSize = 1'000'000;
  EXPECT_EQ(Split(config, std::string(kSize, 'a')).size(), 1U);
  EXPECT_EQ(Split(config, std::string(kSize, ' ')).size(), 1U);
  EXPECT_EQ(Split(config, std::string(kSize, '\n') + "a").size(), 3U);
  std::string words;
  for (size_t i = 0; i < kSize / 2; ++i) words += "a ";
  EXPECT_EQ(Split(config, words).size(), kSize / 2 + 1);
}

TEST(PreTokenizer, MistakesNameTheField) {
  const auto error = [](const std::string& config) { return Split(config, "x").front(); };
  EXPECT_THAT(
      error(R"({"type": "BertPreTokenizer"})"),
      HasSubstr("t.json: pre_tokenizer: unknown pre-tokenizer 'BertPreTokenizer' (known: "));
  EXPECT_THAT(error(R"({"type": "Sequence", "pretokenizers": [{"type": "Digits"}, "x"]})"),
              HasSubstr("pre_tokenizer.pretokenizers[1]: expected an object, found string"));
  EXPECT_THAT(error(R"({"type": "Sequence", "pretokenizers": 1})"), HasSubstr("must be an array"));
  EXPECT_THAT(error(SplitConfig("Sideways", false)), HasSubstr("unknown behavior 'Sideways'"));
  EXPECT_THAT(error(SplitConfig("Isolated", false, "[]")),
              HasSubstr("'pattern' must be an object"));
  EXPECT_THAT(error(SplitConfig("Isolated", false, "{}")), HasSubstr("'String' is missing"));
  EXPECT_THAT(
      error(SplitConfig("Isolated", false, R"({"Regex": "[a&&b]"})")),
      HasSubstr("t.json: pre_tokenizer.pattern: regular expression '[a&&b]' is not supported"));
  EXPECT_THAT(error(R"({"type": "Metaspace", "replacement": "ab"})"), HasSubstr("one character"));
  EXPECT_THAT(error(R"({"type": "Metaspace", "prepend_scheme": "last"})"),
              HasSubstr("unknown prepend_scheme 'last'"));
  EXPECT_THAT(error(R"({"type": "Digits", "individual_digits": "yes"})"),
              HasSubstr("'individual_digits' must be true or false, found string"));
  EXPECT_THAT(error("7"), HasSubstr("expected an object, found number"));
}

}  // namespace
}  // namespace weft
