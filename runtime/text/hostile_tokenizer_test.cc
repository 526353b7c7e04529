// Tokenizer files made to take long, or much memory: each ends soon, in an error or with tokens.
// Times are CPU times of this thread, against bounds that a loaded machine keeps; what was seen
// before the mends is behind each.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <time.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/text/pre_tokenizer_regex.h"
#include "runtime/text/stream_decoder.h"
#include "runtime/text/tokenizer.h"
#include "runtime/text/tokenizer_image.h"
#include "runtime/text/tokenizer_json.h"

namespace weft {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

double CpuSeconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

template <typename Body>
double SecondsOf(const Body& body) {
  const double begin = CpuSeconds();
  body();
  return CpuSeconds() - begin;
}

[[maybe_unused]] std::string Repeat(const std::string& text, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += text;
  return out;
}

json Bpe(const std::vector<std::string>& tokens) {
  json vocab = json::object();
  for (size_t i = 0; i < tokens.size(); ++i) vocab[tokens[i]] = i;
  return {{"type", "BPE"}, {"vocab", vocab}, {"merges", json::array()}};
}

json File(const json& parts) {
  json file = {{"model", Bpe({"a", "b", "x"})}};
  file.update(parts);
  return file;
}

absl::StatusOr<Tokenizer> Make(const json& parts) {
  return Tokenizer::FromTokenizerJson(File(parts).dump(), "t.json");
}

// The error of making the tokenizer or of encoding the text, or "".
[[maybe_unused]] std::string ErrorOf(const json& parts, const std::string& text = "a") {
  const absl::StatusOr<Tokenizer> tokenizer = Make(parts);
  if (!tokenizer.ok()) return absl::StrCat("refused: ", tokenizer.status().message());
  const absl::StatusOr<std::vector<int32_t>> ids = tokenizer->Encode(text);
  return ids.ok() ? "" : std::string(ids.status().message());
}

[[maybe_unused]] json Steps(const char* list, const json& step, size_t count) {
  return {{"type", "Sequence"}, {list, json(count, step)}};
}

[[maybe_unused]] json Replace(const json& pattern, const std::string& content) {
  return {{"type", "Replace"}, {"pattern", pattern}, {"content", content}};
}

[[maybe_unused]] json Split(const json& pattern) {
  return {{"type", "Split"}, {"pattern", pattern}, {"behavior", "Isolated"}, {"invert", false}};
}

[[maybe_unused]] json Added(size_t id, const std::string& content, bool normalized) {
  return {{"id", id},        {"content", content},   {"special", false},        {"lstrip", false},
          {"rstrip", false}, {"single_word", false}, {"normalized", normalized}};
}

// Half a million steps from each place in a's.
constexpr char kManySteps[] = "(?:a|a){18}c|X";

absl::Status FindAll(const char* pattern, const std::string& text, double seconds) {
  const absl::StatusOr<Regex> regex = Regex::Compile(pattern);
  if (!regex.ok()) return regex.status();
  std::vector<TextRange> matches;
  TextBudget budget(1 << 20, seconds);
  return regex->FindAll(text, budget, &matches);
}

// One call of the engine tries them all: 1.3 s.
TEST(HostileRegex, ManyStepsFromEachOfAFewPlaces) {
  absl::Status status;
  const double seconds =
      SecondsOf([&] { status = FindAll(kManySteps, std::string(255, 'a') + "X", 0.1); });
  EXPECT_THAT(std::string(status.message()), HasSubstr("took too long"));
  EXPECT_LT(seconds, 0.6);
}

// The engine counts a step for each possessive run, and one for each turn of the loop: 10^10 bytes
// from the first place alone.
TEST(HostileRegex, LongLooksInOneAttempt) {
  for (const char* pattern : {"(?:(?=[^z]*+)a)*+[bc]", "(?:a(?=[^z]*+))*+[bc]|d"}) {
    absl::Status status;
    const double seconds =
        SecondsOf([&] { status = FindAll(pattern, std::string(100'000, 'a'), 0.1); });
    EXPECT_THAT(std::string(status.message()), HasSubstr("took too long")) << pattern;
    EXPECT_LT(seconds, 0.6) << pattern;
  }
}

// A lookbehind that puts the match's beginning before where the search began: without end, or
// pieces twice.
TEST(HostileRegex, MatchesDoNotGoBack) {
  EXPECT_THAT(std::string(FindAll(R"((?<=(?1))(?:)|(?!)(\Kab))", "abab", 1).message()),
              HasSubstr("\\K"));
  EXPECT_TRUE(FindAll(R"(\\K)", "a\\Kb", 1).ok()) << "a backslash, then the letter";
}

// A budget for each piece: 13 s for ten tokens, 1.3 s for one.
TEST(HostileDecoder, SlowPatterns) {
  const absl::StatusOr<Tokenizer> tokenizer =
      Make({{"model", Bpe({std::string(255, 'a')})},
            {"decoder", Replace({{"Regex", kManySteps}}, "x")}});
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  std::string text;
  EXPECT_LT(SecondsOf([&] { text = tokenizer->Decode(std::vector<int32_t>(10, 0), false); }), 2);
  EXPECT_EQ(text, std::string(2550, 'a')) << "tokens stay as they are";
  StreamDecoder decoder(*tokenizer, false);
  EXPECT_LT(SecondsOf([&] {
              for (int i = 0; i < 10; ++i) (void)decoder.Add(0);
            }),
            2);
  EXPECT_LT(SecondsOf([&] { text = tokenizer->TokenBytes(0); }), 0.5);
}

// 64 KiB for each token.
TEST(HostileDecoder, MuchOfEachToken) {
  const std::vector<int32_t> ids(2000, 0);
  for (const json& decoder : {Replace({{"String", "a"}}, std::string(60'000, 'x')),
                              json{{"type", "Sequence"},
                                   {"decoders",
                                    {Replace({{"String", "a"}}, std::string(60'000, 'x')),
                                     Replace({{"Regex", "x+"}}, "y")}}}}) {
    const absl::StatusOr<Tokenizer> tokenizer = Make({{"decoder", decoder}});
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    std::string text;
    EXPECT_LT(SecondsOf([&] { text = tokenizer->Decode(ids, false); }), 0.2);
    EXPECT_LE(text.size(), (64 << 10) + 64 * ids.size());
    EXPECT_EQ(text.back(), 'a') << "tokens beyond the bound stay as they are";
  }
}

// Each token's blanks were looked at again with the next: 6 s.
TEST(HostileDecoder, HeldBlanks) {
  const absl::StatusOr<Tokenizer> tokenizer =
      Make({{"model", Bpe({std::string(1000, ' '), "a"})},
            {"decoder",
             {{"type", "Sequence"},
              {"decoders",
               {{{"type", "Fuse"}},
                {{"type", "Strip"}, {"content", " "}, {"start", 0}, {"stop", 2147483647}}}}}}});
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  std::vector<int32_t> ids(5000, 0);
  std::string text;
  EXPECT_LT(SecondsOf([&] { text = tokenizer->Decode(ids, false); }), 0.5);
  EXPECT_EQ(text, "");
  ids.push_back(1);
  ids.push_back(0);
  EXPECT_EQ(tokenizer->Decode(ids, false), std::string(5'000'000, ' ') + "a");
}

}  // namespace
}  // namespace weft
