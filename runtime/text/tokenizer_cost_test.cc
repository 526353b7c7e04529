// That the time of a tokenizer is near-linear in the text, for every family and every kind of text
// that is known to make one slow. Times are CPU times of this thread, the least of several; a text
// four times as long may take ten times as long, where something quadratic takes sixteen times.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/thread_clock.h"
#include "runtime/text/adversarial_texts.h"
#include "runtime/text/stream_decoder.h"
#include "runtime/text/tokenizer.h"
#include "runtime/text/tokenizer_testing.h"
#include "runtime/text/utf8.h"

namespace weft {
namespace {

constexpr size_t kBytes = 10'000;
constexpr int kFactor = 4;
constexpr double kMostGrowth = 10;
// What a page fault or a cache miss more may take, beside which a growth means nothing.
constexpr double kNoise = 2e-3;

template <typename Body>
double LeastSeconds(const Body& body) {
  double least = 1e9;
  for (int i = 0; i < 3; ++i) {
    const double begin = ThreadSeconds();
    body();
    least = std::min(least, ThreadSeconds() - begin);
  }
  return least;
}

// `seconds(n)` of a problem of n and of kFactor · n bytes. Whatever else the machine does may spoil
// a measurement, but not three of them.
template <typename Seconds>
void ExpectNearLinear(const Seconds& seconds) {
  double once = 0;
  double longer = 0;
  for (int attempt = 0; attempt < 3; ++attempt) {
    once = seconds(kBytes);
    longer = seconds(kBytes * kFactor);
    if (longer <= kMostGrowth * once + kNoise) return;
  }
  ADD_FAILURE() << kBytes << " bytes took " << once << " s, " << kFactor << " times as many "
                << longer << " s";
}

void ExpectNearLinear(const Tokenizer& tokenizer, bool decoding = false) {
  for (const TextKind& kind : TextKinds()) {
    SCOPED_TRACE(kind.name);
    ExpectNearLinear([&](size_t bytes) {
      const std::string text = kind.Make(bytes);
      return LeastSeconds([&] {
        const auto ids = tokenizer.Encode(text);
        ASSERT_TRUE(ids.ok()) << ids.status();
      });
    });
    if (!decoding) continue;
    ExpectNearLinear([&](size_t bytes) {
      const std::vector<int32_t> ids = tokenizer.Encode(kind.Make(bytes)).value();
      return LeastSeconds([&] {
        (void)tokenizer.Decode(ids, false);
        StreamDecoder decoder(tokenizer, false);
        for (const int32_t id : ids) (void)decoder.Add(id);
        (void)decoder.Flush();
      });
    });
  }
}

Tokenizer Made(absl::StatusOr<Tokenizer> tokenizer) {
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return *std::move(tokenizer);
}

Tokenizer FromFile(const std::string& path) {
  return Made(Tokenizer::FromTokenizerJson(ReadTestFile(path), path));
}

TEST(TokenizerCost, ByteLevelFromTokenizerJson) {
  for (const char* name : {"gpt2", "smollm2"}) {
    SCOPED_TRACE(name);
    ExpectNearLinear(FromFile(VectorTokenizerPath(name)), /*decoding=*/true);
  }
  ExpectNearLinear(FromFile("tests/oracle/tiny/llama-gqa/tokenizer.json"));
}

TEST(TokenizerCost, SentencePieceFromGguf) {
  for (const bool prefix : {false, true}) {
    GgufVocabulary vocabulary = Gemma3Excerpt();
    vocabulary.add_space_prefix = prefix;
    ExpectNearLinear(Made(Tokenizer::FromGgufVocabulary(std::move(vocabulary), "m.gguf")),
                     /*decoding=*/true);
  }
}

// Every pattern that a GGUF file may name. Vocabularies differ in nothing else, so a small one
// does.
TEST(TokenizerCost, EveryPreTokenizerOfGguf) {
  const GgufVocabulary vocabulary =
      GgufFromTokenizerJson("tests/oracle/tiny/llama-gqa/tokenizer.json", "gpt-2");
  std::set<std::string> seen;
  for (const std::string& pre : KnownGgufPreTokenizers()) {
    SCOPED_TRACE(pre);
    GgufVocabulary named = vocabulary;
    named.pre = pre;
    const auto spec = SpecFromGgufVocabulary(named, "m.gguf");
    ASSERT_TRUE(spec.ok()) << spec.status();
    if (!seen.insert(spec->normalizer.dump() + spec->pre_tokenizer.dump()).second) continue;
    ExpectNearLinear(Made(Tokenizer::FromGgufVocabulary(std::move(named), "m.gguf")));
  }
  EXPECT_GE(seen.size(), 10U);
}

// What else a tokenizer.json may hold.
TEST(TokenizerCost, EveryNormalizerAndPreTokenizerOfTokenizerJson) {
  const nlohmann::json small = SmallTokenizerJson();
  const nlohmann::json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  const auto string = [](const char* text) { return nlohmann::json{{"String", text}}; };
  for (const char* behavior :
       {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"}) {
    for (const nlohmann::json& step : std::vector<nlohmann::json>{
             {{"type", "Split"}, {"pattern", string(" ")}, {"behavior", behavior}},
             {{"type", "Split"}, {"pattern", {{"Regex", "\\s+|\\d"}}}, {"behavior", behavior}}}) {
      nlohmann::json json = small;
      json["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {step, byte_level}}};
      SCOPED_TRACE(step.dump());
      ExpectNearLinear(Made(Tokenizer::FromTokenizerJson(json.dump(), "t")));
    }
  }
  for (const nlohmann::json& step : std::vector<nlohmann::json>{
           {{"type", "Digits"}, {"individual_digits", true}},
           {{"type", "Digits"}, {"individual_digits", false}},
           {{"type", "Metaspace"}, {"prepend_scheme", "always"}, {"split", true}},
           {{"type", "Whitespace"}},
           {{"type", "WhitespaceSplit"}}}) {
    nlohmann::json json = small;
    json["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {step, byte_level}}};
    SCOPED_TRACE(step.dump());
    ExpectNearLinear(Made(Tokenizer::FromTokenizerJson(json.dump(), "t")));
  }
  for (const nlohmann::json& step : std::vector<nlohmann::json>{
           {{"type", "NFC"}},
           {{"type", "NFD"}},
           {{"type", "NFKC"}},
           {{"type", "NFKD"}},
           {{"type", "Lowercase"}},
           {{"type", "Strip"}, {"strip_left", true}, {"strip_right", true}},
           {{"type", "Prepend"}, {"prepend", "_"}},
           {{"type", "Replace"}, {"pattern", string("a")}, {"content", "bcd"}},
           {{"type", "Replace"}, {"pattern", {{"Regex", " {2,}"}}}, {"content", " "}}}) {
    nlohmann::json json = small;
    json["normalizer"] = step;
    SCOPED_TRACE(step.dump());
    ExpectNearLinear(Made(Tokenizer::FromTokenizerJson(json.dump(), "t")));
  }
}

// Added tokens with every flag, of whitespace among others, which take what stands around them.
TEST(TokenizerCost, AddedTokensOfEveryKind) {
  nlohmann::json json = SmallTokenizerJson();
  int id = 262;
  for (const char* content : {" ", "  ", "\n", "a", "aa", "<|", "\u0301", "'"}) {
    for (const bool flag : {false, true}) {
      nlohmann::json one = json;
      one["added_tokens"].push_back({{"id", id},
                                     {"content", content},
                                     {"single_word", false},
                                     {"lstrip", flag},
                                     {"rstrip", true},
                                     {"normalized", flag},
                                     {"special", false}});
      SCOPED_TRACE(one["added_tokens"].back().dump());
      ExpectNearLinear(Made(Tokenizer::FromTokenizerJson(one.dump(), "t")));
    }
  }
}

}  // namespace
}  // namespace weft
