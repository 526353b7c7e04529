#include "runtime/text/pre_tokenizer_regex.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"

namespace weft {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> Matches(const std::string& pattern, const std::string& text) {
  const absl::StatusOr<Regex> regex = Regex::Compile(pattern);
  if (!regex.ok()) return {"does not compile: " + std::string(regex.status().message())};
  std::vector<TextRange> ranges;
  TextBudget budget(text.size());
  const absl::Status status = regex->FindAll(text, budget, &ranges);
  if (!status.ok()) return {"gave up: " + std::string(status.message())};
  std::vector<std::string> out;
  out.reserve(ranges.size());
  for (const TextRange& range : ranges) {
    out.push_back(text.substr(range.begin, range.end - range.begin));
  }
  return out;
}

TEST(Regex, ReadsUnicodeClasses) {
  EXPECT_THAT(Matches(R"(\p{L}+)", "ab1\u00e9\u4e00 x"), ElementsAre("ab", "\u00e9\u4e00", "x"));
  EXPECT_THAT(Matches(R"(\p{N})", "1\u00b2\u0663a"), ElementsAre("1", "\u00b2", "\u0663"));
  EXPECT_THAT(Matches(R"(\s+)", "a\u3000\u00a0b"), ElementsAre("\u3000\u00a0"));
  EXPECT_THAT(Matches(R"(\s+(?!\S))", "a   b"), ElementsAre("  "));
  EXPECT_THAT(Matches(R"((?i:'ll|'s))", "I'LL he's"), ElementsAre("'LL", "'s"));
  EXPECT_THAT(Matches("", ""), ElementsAre(""));
}

TEST(Regex, EmptyMatchesAdvanceByOneCharacter) {
  EXPECT_THAT(Matches("x*", "x\u00e9"), ElementsAre("x", ""));
  EXPECT_THAT(Matches("(?=b)", "abb"), ElementsAre("", ""));
}

TEST(Regex, LinesAreRubys) {
  EXPECT_THAT(Matches("^b$", "a\nb\nc"), ElementsAre("b"));
  EXPECT_THAT(Matches("a.c", "a\nc abc"), ElementsAre("abc"));
}

TEST(Regex, RefusesWhatTheTwoEnginesReadDifferently) {
  for (const char* pattern : {R"([a&&[b]])", R"([\p{L}&&[^\p{Han}]]+)", R"([a[bc]])", R"(\h+)",
                              R"([\H])", R"(\p{N}{1,3}+)", "[[:alpha]", R"(\Ga)", "a(*COMMIT)b"}) {
    const absl::StatusOr<Regex> regex = Regex::Compile(pattern);
    EXPECT_EQ(regex.status().code(), absl::StatusCode::kInvalidArgument) << pattern;
    EXPECT_THAT(std::string(regex.status().message()), HasSubstr(pattern));
  }
  EXPECT_THAT(Matches("[[:digit:]]+", "a12"), ElementsAre("12"));
  EXPECT_THAT(Matches(R"(\p{N}+|\p{L}{2}|[&\[]+)", "12ab&["), ElementsAre("12", "ab", "&["));
  EXPECT_THAT(Matches(R"([^]x]+)", "a]b"), ElementsAre("a", "b"));
}

TEST(Regex, MalformedPatternsSayWhere) {
  for (const char* pattern :
       {"(", "[a", "\\", "*", "(?<", R"(\p{Nonsense})", "\\p{", "[\\", "a{9999999}"}) {
    const absl::StatusOr<Regex> regex = Regex::Compile(pattern);
    EXPECT_EQ(regex.status().code(), absl::StatusCode::kInvalidArgument) << pattern;
  }
  EXPECT_FALSE(Regex::Compile(std::string(100'000, 'a')).ok());
  EXPECT_FALSE(Regex::Compile(std::string(20'000, '(') + std::string(20'000, ')')).ok());
}

TEST(Regex, FindsWhatIsFarAway) {
  // Beyond the windows in which it searches, in front of and behind characters of several bytes.
  for (const size_t distance : {0, 1, 255, 256, 257, 767, 768, 10'000, 50'000}) {
    for (const char* filler : {"a", "\u00e9", "\U0001f600"}) {
      std::string text;
      for (size_t i = 0; i < distance; ++i) text += filler;
      const std::string found = absl::StrCat(text, "xyz", text, "x");
      EXPECT_THAT(Matches("x[yz]*", found), ElementsAre("xyz", "x")) << distance << filler;
      EXPECT_THAT(Matches("(?<=x)y", found), ElementsAre("y")) << distance << filler;
      EXPECT_THAT(Matches("$", text), ElementsAre("")) << distance << filler;
      EXPECT_THAT(Matches("q", found), IsEmpty());
    }
  }
}

TEST(Regex, PatternsThatSeeAllFromEverywhereGiveUp) {
  // Possessive repetitions count as one step, however far they run: 10^10 bytes here.
  for (const char* pattern : {"(?=[^z]*+z)a", "(?=[^z]*+)a", "(?=[^z]*+z)?a"}) {
    const absl::StatusOr<Regex> regex = Regex::Compile(pattern);
    ASSERT_TRUE(regex.ok());
    std::vector<TextRange> ranges;
    TextBudget budget(size_t{1} << 30, /*seconds=*/0.1);
    const absl::Status status = regex->FindAll(std::string(150'000, 'a'), budget, &ranges);
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << pattern;
    EXPECT_THAT(std::string(status.message()), HasSubstr("took too long up to byte "));
  }
}

TEST(Regex, ExponentialPatternsGiveUp) {
  const absl::StatusOr<Regex> regex = Regex::Compile("(a+)+[bc]");
  ASSERT_TRUE(regex.ok());
  std::vector<TextRange> ranges;
  TextBudget budget(64);
  const absl::Status status = regex->FindAll(std::string(64, 'a'), budget, &ranges);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("gave up at byte 0 of a text of 64 bytes"));
}

TEST(Regex, LongRunsStayWithinTheLimits) {
  const std::string n(1'000'000, ' ');
  EXPECT_THAT(Matches(R"(\s+(?!\S)|\s+)", n + "x"), ElementsAre(n.substr(1), " "));
  EXPECT_THAT(Matches(R"(\s*[\r\n]+|\s+(?!\S)|\s+)", n + "x"), ElementsAre(n.substr(1), " "));
  EXPECT_THAT(Matches(R"([\p{Lu}\p{Lo}]*[\p{Ll}]+|[\p{Lu}\p{Lo}]+)", std::string(1'000'000, 'A')),
              ElementsAre(std::string(1'000'000, 'A')));
  EXPECT_THAT(Matches("b", n), IsEmpty());
}

TEST(Regex, ThreadsShareOnePattern) {
  const absl::StatusOr<Regex> regex = Regex::Compile(R"(\w+)");
  ASSERT_TRUE(regex.ok());
  std::vector<std::thread> threads;
  std::vector<size_t> counts(8);
  for (size_t t = 0; t < counts.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        std::vector<TextRange> ranges;
        TextBudget budget(13);
        if (regex->FindAll("one two three", budget, &ranges).ok()) counts[t] += ranges.size();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(counts, ::testing::Each(300U));
}

}  // namespace
}  // namespace weft
