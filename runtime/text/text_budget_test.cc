// Tokenizer files that make much of a little text, or look at it for long, end in an error soon.
#include "runtime/text/text_budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "runtime/text/pre_tokenizer.h"
#include "runtime/text/tokenizer.h"

namespace weft {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// `count` times the step.
json Steps(const char* list, const json& step, int count) {
  return {{"type", "Sequence"}, {list, json(static_cast<size_t>(count), step)}};
}

absl::StatusOr<Tokenizer> Make(const json& parts) {
  json file = {{"model",
                {{"type", "BPE"},
                 {"vocab", {{"a", 0}, {"b", 1}, {"\u00c3", 2}, {"\u00a9", 3}}},
                 {"merges", json::array()}}}};
  file.update(parts);
  return Tokenizer::FromTokenizerJson(file.dump(), "t.json");
}

// The error of encoding the text, or "".
std::string ErrorOf(const json& parts, const std::string& text) {
  const absl::StatusOr<Tokenizer> tokenizer = Make(parts);
  if (!tokenizer.ok()) return absl::StrCat("refused: ", tokenizer.status().message());
  const absl::StatusOr<std::vector<int32_t>> ids = tokenizer->Encode(text);
  return ids.ok() ? "" : std::string(ids.status().message());
}

const json kDoubles = {{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aa"}};
const json kByteLevel = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};

TEST(TextBudget, StepsThatDoubleTheText) {
  EXPECT_EQ(ErrorOf({{"normalizer", Steps("normalizers", kDoubles, 10)}}, "a"), "");
  EXPECT_EQ(ErrorOf({{"normalizer", Steps("normalizers", kDoubles, 40)}}, "a"),
            "the tokenizer makes more than 131136 bytes of a text");
  EXPECT_EQ(ErrorOf({{"pre_tokenizer", Steps("pretokenizers", kByteLevel, 3)}}, "\u00e9"), "");
  EXPECT_THAT(ErrorOf({{"pre_tokenizer", Steps("pretokenizers", kByteLevel, 40)}}, "\u00e9"),
              HasSubstr("the tokenizer makes more than"));
}

TEST(TextBudget, StepsThatAddAsMuchAsTheFileHas) {
  const std::string large(100'000, 'a');
  for (const json& pattern : {json{{"String", "a"}}, json{{"Regex", "a"}}, json{{"Regex", ""}}}) {
    EXPECT_THAT(
        ErrorOf({{"normalizer", {{"type", "Replace"}, {"pattern", pattern}, {"content", large}}}},
                "aaaaaaaaaa"),
        HasSubstr("the tokenizer makes more than"));
  }
  // Prepend, to each of the pieces between added tokens.
  const json token = {
      {"id", 1},         {"content", "b"},       {"special", true},    {"lstrip", false},
      {"rstrip", false}, {"single_word", false}, {"normalized", false}};
  EXPECT_THAT(ErrorOf({{"normalizer", {{"type", "Prepend"}, {"prepend", large}}},
                       {"added_tokens", {token}}},
                      "ababababababababab"),
              HasSubstr("the tokenizer makes more than"));
}

TEST(TextBudget, AddedTokensThatTheNormalizerEnlarges) {
  json tokens = json::array();
  for (int i = 0; i < 100; ++i) {
    tokens.push_back({{"id", 4 + i},
                      {"content", absl::StrCat("a", i)},
                      {"special", false},
                      {"lstrip", false},
                      {"rstrip", false},
                      {"single_word", false},
                      {"normalized", true}});
  }
  EXPECT_EQ(ErrorOf({{"added_tokens", tokens}}, "a"), "");
  EXPECT_THAT(
      ErrorOf({{"normalizer", Steps("normalizers", kDoubles, 12)}, {"added_tokens", tokens}}, "a"),
      HasSubstr("t.json: added_tokens["));
}

// What is made of each byte before anything is done with it: matches, segments, code points, marks.
TEST(TextBudget, WhatStepsKeepOfAnEnlargedText) {
  const auto replace = [](const std::string& content) {
    return json{{"type", "Replace"}, {"pattern", {{"String", "x"}}}, {"content", content}};
  };
  const auto then = [](const json& first, const char* type) {
    return json{{"type", "Sequence"}, {"normalizers", {first, {{"type", type}}}}};
  };
  const auto times = [](int count, const char* part) {
    std::string text;
    for (int i = 0; i < count; ++i) text += part;
    return text;
  };
  const std::string text(100'000, 'x');
  const json ys = replace(times(60, "y"));
  const json token = {{"id", 4},           {"content", "y"},  {"special", false},
                      {"lstrip", false},   {"rstrip", false}, {"single_word", false},
                      {"normalized", true}};
  const json split = {{"type", "Split"},
                      {"pattern", {{"String", "y"}}},
                      {"behavior", "Isolated"},
                      {"invert", false}};
  const auto too_much = HasSubstr("the tokenizer makes more than 6531072 bytes of a text");
  EXPECT_THAT(ErrorOf({{"normalizer", ys}, {"added_tokens", {token}}}, text), too_much);
  EXPECT_THAT(ErrorOf({{"normalizer", ys}, {"pre_tokenizer", split}}, text), too_much);
  EXPECT_THAT(ErrorOf({{"normalizer", then(replace(times(20, "\uFDFA")), "NFKD")}}, text),
              too_much);
  EXPECT_THAT(ErrorOf({{"normalizer", then(replace(times(30, "\u0301")), "NFD")}}, text), too_much);
  // The most that a text itself makes: a character of 3 bytes that becomes 18.
  EXPECT_EQ(ErrorOf({{"normalizer", {{"type", "NFKD"}}}}, times(100'000, "\uFDFA")), "");
  EXPECT_EQ(ErrorOf({{"normalizer", {{"type", "NFKC"}}}, {"added_tokens", {token}}},
                    std::string(100'000, 'y')),
            "");
}

// The error of cutting the text into words by blanks, and each of them by `count` steps that look
// for the pattern.
std::string ErrorOfSplitting(const std::string& text, const char* pattern, int count,
                             double seconds) {
  json config = {{"type", "Sequence"},
                 {"pretokenizers", json::array({{{"type", "WhitespaceSplit"}}})}};
  for (int i = 0; i < count; ++i) {
    config["pretokenizers"].push_back({{"type", "Split"},
                                       {"pattern", {{"Regex", pattern}}},
                                       {"behavior", "Isolated"},
                                       {"invert", false}});
  }
  const absl::StatusOr<PreTokenizer> steps = PreTokenizer::Create(config, "t.json");
  if (!steps.ok()) return absl::StrCat("refused: ", steps.status().message());
  TextBudget budget(1 << 30, seconds);
  return std::string(steps->Split(text, true, budget).status().message());
}

std::string Words(int count, size_t letters) {
  std::string words;
  for (int i = 0; i < count; ++i) words += std::string(letters, 'a') + " ";
  return words;
}

TEST(TextBudget, PatternsOfAllStepsAndWordsShareTheTime) {
  // Each looks at the rest of its word from every place in it.
  EXPECT_THAT(ErrorOfSplitting(Words(20, 20'000), "[^x-z]*+[xy]", 60, 0.5),
              HasSubstr("took too long"));
}

// Words so short that the clock is read between them, if at all.
TEST(TextBudget, PatternsOfManyWordsShareTheTime) {
  EXPECT_THAT(ErrorOfSplitting(Words(20'000, 18), "(a|aa)+[xy]", 1, 0.2),
              HasSubstr("took too long"));
}

TEST(TextBudget, StepsAreCounted) {
  const json lowercase = {{"type", "Lowercase"}};
  EXPECT_EQ(ErrorOf({{"normalizer", Steps("normalizers", lowercase, 64)}}, "a"), "");
  EXPECT_THAT(ErrorOf({{"normalizer", Steps("normalizers", lowercase, 65)}}, "a"),
              HasSubstr("refused: t.json: normalizer.normalizers[64]: too many steps"));
  EXPECT_THAT(
      ErrorOf({{"pre_tokenizer", Steps("pretokenizers", {{"type", "Whitespace"}}, 65)}}, "a"),
      HasSubstr("pre_tokenizer.pretokenizers[64]: too many steps"));
  EXPECT_THAT(ErrorOf({{"decoder", Steps("decoders", kDoubles, 65)}}, "a"),
              HasSubstr("decoder.decoders[64]: too many steps"));
}

TEST(TextBudget, DecodersThatDoubleTheText) {
  const absl::StatusOr<Tokenizer> tokenizer = Make({{"decoder", Steps("decoders", kDoubles, 40)}});
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  const std::string text = tokenizer->Decode({0}, /*skip_special=*/false);
  EXPECT_GE(text.size(), 1U << 15) << "steps within the bound are taken";
  EXPECT_LE(text.size(), 1U << 16);
  EXPECT_LE(tokenizer->TokenBytes(0).size(), 1U << 16);
}

}  // namespace
}  // namespace weft
