#include "runtime/text/normalizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"

namespace weft {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

std::string Apply(const char* config, const std::string& text) {
  const absl::StatusOr<Normalizer> normalizer =
      Normalizer::Create(json::parse(config), "t.json: normalizer");
  if (!normalizer.ok()) return std::string(normalizer.status().message());
  TextBudget budget(text.size());
  const absl::StatusOr<std::string> result = normalizer->Apply(text, budget);
  return result.ok() ? *result : std::string(result.status().message());
}

// Rows of Unicode's NormalizationTest.txt (15.0): source; NFC; NFD; NFKC; NFKD.
TEST(Normalizer, UnicodeForms) {
  const char* const rows[][5] = {
      {"\u1E0A", "\u1E0A", "D\u0307", "\u1E0A", "D\u0307"},
      {"\u1E0A\u0323", "\u1E0C\u0307", "D\u0323\u0307", "\u1E0C\u0307", "D\u0323\u0307"},
      {"\u0344", "\u0308\u0301", "\u0308\u0301", "\u0308\u0301", "\u0308\u0301"},
      {"\u212B", "\u00C5", "A\u030A", "\u00C5", "A\u030A"},
      {"\uFB01", "\uFB01", "\uFB01", "fi", "fi"},
      {"\uAC01", "\uAC01", "\u1100\u1161\u11A8", "\uAC01", "\u1100\u1161\u11A8"},
      {"\u00BD", "\u00BD", "\u00BD", "1\u20442", "1\u20442"},
      {"\u0958", "\u0915\u093C", "\u0915\u093C", "\u0915\u093C", "\u0915\u093C"},
      {"a\u0315\u0300\u05AEb", "\u00E0\u05AE\u0315b", "a\u05AE\u0300\u0315b", "\u00E0\u05AE\u0315b",
       "a\u05AE\u0300\u0315b"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(Apply(R"({"type": "NFC"})", row[0]), row[1]);
    EXPECT_EQ(Apply(R"({"type": "NFD"})", row[0]), row[2]);
    EXPECT_EQ(Apply(R"({"type": "NFKC"})", row[0]), row[3]);
    EXPECT_EQ(Apply(R"({"type": "NFKD"})", row[0]), row[4]);
  }
}

TEST(Normalizer, LongRunsOfMarksAreSortedQuickly) {
  std::string text = "a";
  std::string sorted = "a";
  for (int i = 0; i < 200'000; ++i) text += "\u0301\u0316";  // combining classes 230 and 220
  for (int i = 0; i < 200'000; ++i) sorted += "\u0316";
  for (int i = 0; i < 200'000; ++i) sorted += "\u0301";
  EXPECT_EQ(*NormalizeUnicode(text, UnicodeForm::kNfd, TextBudget(text.size())), sorted);
}

TEST(Normalizer, EachStep) {
  EXPECT_EQ(Apply("null", " A "), " A ");
  EXPECT_EQ(
      Apply(R"({"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"})", " a  b"),
      "\u2581a\u2581\u2581b");
  EXPECT_EQ(
      Apply(R"({"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": "$1"})", "a \n b"),
      "a$1b")
      << "the content is taken literally";
  EXPECT_EQ(Apply(R"({"type": "Replace", "pattern": {"String": "aa"}, "content": "a"})", "aaaaa"),
            "aaa");
  EXPECT_EQ(Apply(R"({"type": "Prepend", "prepend": "\u2581"})", "a"),
            "\u2581"
            "a");
  EXPECT_EQ(Apply(R"({"type": "Prepend", "prepend": "\u2581"})", ""), "");
  EXPECT_EQ(Apply(R"({"type": "Lowercase"})", "\u00c4B\u0130\u03a3"), "\u00e4bi\u0307\u03c3");
  EXPECT_EQ(Apply(R"({"type": "Strip"})", "\t a b\u3000"), "a b");
  EXPECT_EQ(Apply(R"({"type": "Strip", "strip_left": false, "strip_right": true})", " a "), " a");
  EXPECT_EQ(Apply(R"({"type": "Strip", "strip_left": true, "strip_right": false})", " a "), "a ");
  EXPECT_EQ(Apply(R"({"type": "Strip", "strip_left": true, "strip_right": false})", "  "), "");
  EXPECT_EQ(Apply(R"({"type": "Strip", "strip_left": false, "strip_right": false})", "  "), "  ");
  EXPECT_EQ(Apply(R"({"type": "Sequence", "normalizers": [{"type": "Lowercase"},
      {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "X"}]}]})",
                  "A"),
            "Xa");
}

TEST(Normalizer, MistakesNameTheField) {
  EXPECT_THAT(Apply(R"({"type": "Precompiled"})", ""),
              HasSubstr("t.json: normalizer: unknown normalizer 'Precompiled' (known: "));
  EXPECT_THAT(Apply(R"({"type": "Sequence", "normalizers": [{"type": "NFC"}, 7]})", ""),
              HasSubstr("t.json: normalizer.normalizers[1]: expected an object, found number"));
  EXPECT_THAT(Apply(R"({"type": "Sequence"})", ""), HasSubstr("'normalizers' must be an array"));
  EXPECT_THAT(Apply(R"({"type": 3})", ""), HasSubstr("'type' must be a string, found number"));
  EXPECT_THAT(Apply("[]", ""), HasSubstr("expected an object, found array"));
  EXPECT_THAT(Apply(R"({})", ""), HasSubstr("'type' is missing"));
  EXPECT_THAT(Apply(R"({"type": "Prepend"})", ""), HasSubstr("'prepend' is missing"));
  EXPECT_THAT(Apply(R"({"type": "Strip", "strip_left": 1})", ""),
              HasSubstr("'strip_left' must be true or false, found number"));
  EXPECT_THAT(Apply(R"({"type": "Replace", "content": ""})", ""),
              HasSubstr("'pattern' must be an object, and is missing"));
  EXPECT_THAT(Apply(R"({"type": "Replace", "pattern": {"Regex": "("}, "content": ""})", ""),
              HasSubstr("t.json: normalizer.pattern: regular expression '(' at byte 1"));
  EXPECT_THAT(Apply(R"({"type": "Replace", "pattern": {"String": ""}, "content": ""})", ""),
              HasSubstr("'String' must not be empty"));
  std::string deep = R"({"type": "NFC"})";
  for (int i = 0; i < 20; ++i)
    deep = absl::StrCat(R"({"type": "Sequence", "normalizers": [)", deep, "]}");
  EXPECT_THAT(Apply(deep.c_str(), ""), HasSubstr("nested too deeply"));
}

}  // namespace
}  // namespace weft
