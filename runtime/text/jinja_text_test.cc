#include "runtime/text/jinja_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/text/jinja_test_util.h"

namespace weft::jinja {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(JinjaText, DecodesAnyBytes) {
  EXPECT_EQ(DecodeAt("a", 0).value, 0x61u);
  EXPECT_EQ(DecodeAt("é", 0).value, 0xE9u);
  EXPECT_EQ(DecodeAt("👍", 0).bytes, 4u);
  // Truncated, overlong, surrogate, continuation alone, not UTF-8 at all.
  for (absl::string_view bad : {"\xE2\x82", "\xC0\xAF", "\xED\xA0\x80", "\x80", "\xFF"}) {
    EXPECT_FALSE(DecodeAt(bad, 0).valid);
    EXPECT_EQ(DecodeAt(bad, 0).bytes, 1u);
    EXPECT_EQ(CountCodePoints(bad), bad.size());
    EXPECT_EQ(ToUpper(bad), bad);
    EXPECT_EQ(Strip(bad, Side::kBoth), bad);
    EXPECT_EQ(SplitCodePoints(bad).size(), bad.size());
  }
}

TEST(JinjaText, CountsCodePoints) {
  EXPECT_EQ(CountCodePoints("aé日👍"), 4u);
  EXPECT_EQ(ByteOffset("aé日👍", 3), 6u);
  EXPECT_EQ(ByteOffset("aé", 99), 3u);
}

TEST(JinjaText, StripsUnicodeSpaceOrChars) {
  EXPECT_EQ(Strip(" \t\n\u00a0\u3000x\u2003", Side::kBoth), "x");
  EXPECT_EQ(Strip(" x ", Side::kLeft), "x ");
  EXPECT_EQ(Strip(" x ", Side::kRight), " x");
  EXPECT_EQ(Strip("日x日", Side::kBoth, "日"), "x");
  EXPECT_EQ(Strip("x", Side::kBoth, ""), "x");
  EXPECT_EQ(Strip("\u200bx", Side::kBoth), "\u200bx");  // a zero width space is none
}

TEST(JinjaText, MapsCase) {
  EXPECT_EQ(ToUpper("aéя"), "AÉЯ");
  EXPECT_EQ(ToLower("AÉЯ"), "aéя");
  EXPECT_EQ(Capitalize("hELLO"), "Hello");
  EXPECT_EQ(Title("they're 3rd"), "They'Re 3Rd");
  EXPECT_EQ(TitleWords("they're (x-y) 3rd"), "They're (X-Y) 3rd");
}

TEST(JinjaText, FindsInLinearTime) {
  EXPECT_EQ(Find("banana", "an", 2), 3u);
  EXPECT_EQ(Find("banana", "x"), absl::string_view::npos);
  EXPECT_EQ(Find("abc", "", 3), 3u);
  EXPECT_EQ(Find("abc", "", 4), absl::string_view::npos);
  EXPECT_EQ(FindLast("banana", "an"), 3u);
  EXPECT_EQ(CountOccurrences("aaaa", "aa"), 2u);
  EXPECT_EQ(CountOccurrences("éa", ""), 3u);
  // Quadratic search would take minutes.
  const std::string text(2 << 20, 'a');
  const std::string needle = std::string(1 << 20, 'a') + "b";
  EXPECT_EQ(Find(text, needle), std::string::npos);
}

TEST(JinjaText, Replaces) {
  EXPECT_EQ(Replace("aaaa", "a", "b", 2), "bbaa");
  EXPECT_EQ(Replace("abc", "", "-", -1), "-a-b-c-");
  EXPECT_EQ(Replace("abc", "", "-", 2), "-a-bc");
  EXPECT_EQ(Replace("aaa", "aa", "b", -1), "ba");
}

// What a function that cuts gives.
template <typename Function, typename... Arguments>
std::vector<std::string> Cut(Function function, const Arguments&... arguments) {
  std::vector<std::string> pieces;
  EXPECT_TRUE(function(arguments..., [&](absl::string_view piece) {
                pieces.emplace_back(piece);
                return absl::OkStatus();
              }).ok());
  return pieces;
}

TEST(JinjaText, Splits) {
  EXPECT_THAT(Cut(SplitSpace, " a  b c ", -1, false), ElementsAre("a", "b", "c"));
  EXPECT_THAT(Cut(SplitSpace, " a  b c ", 1, false), ElementsAre("a", "b c "));
  EXPECT_THAT(Cut(SplitSpace, " a  b c ", 1, true), ElementsAre("c", " a  b"));
  EXPECT_THAT(Cut(SplitSpace, "  ", -1, false), IsEmpty());
  EXPECT_THAT(Cut(SplitOn, "a,b,", ",", -1, false), ElementsAre("a", "b", ""));
  EXPECT_THAT(Cut(SplitOn, "a,b,c", ",", 1, true), ElementsAre("c", "a,b"));
  EXPECT_THAT(Cut(SplitOn, "aaa", "aa", -1, true), ElementsAre("", "a"));
  EXPECT_THAT(Cut(SplitLines, "a\r\nb\x0b\nc", false), ElementsAre("a", "b", "", "c"));
  EXPECT_THAT(Cut(SplitLines, "a\n", true), ElementsAre("a\n"));
}

TEST(JinjaText, RecognisesDigits) {
  EXPECT_TRUE(IsDigits("09٣"));
  EXPECT_FALSE(IsDigits(""));
  EXPECT_FALSE(IsDigits("1.5"));
}

}  // namespace
}  // namespace weft::jinja
