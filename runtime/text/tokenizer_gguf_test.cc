#include "runtime/text/tokenizer_gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "runtime/text/tokenizer_testing.h"

namespace weft {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Pieces = std::vector<std::string>;

// A SentencePiece vocabulary worked by hand: types as in the format's table.
GgufVocabulary SentencePiece() {
  GgufVocabulary v;
  v.model = "llama";
  const auto add = [&](const std::string& token, float score, int32_t type) {
    v.tokens.push_back(token);
    v.scores.push_back(score);
    v.token_types.push_back(type);
  };
  add("<unk>", 0, 2);
  add("<s>", 0, 3);
  add("</s>", 0, 3);
  add("<0x0A>", 0, 6);
  add("<0xC3>", 0, 6);
  add("<0xA9>", 0, 6);
  add("\u2581", -10, 1);
  add("a", -11, 1);
  add("b", -12, 1);
  add("\u2581"
      "a",
      -2, 1);
  add("ab", -1, 1);
  add("\u2581"
      "ab",
      -3, 1);
  add("<tool>", 0, 4);
  add("  ", 0, 4);
  add("bb", -4, 5);
  v.unk_id = 0;
  v.bos_id = 1;
  v.eos_id = 2;
  return v;
}

Pieces Encode(const GgufVocabulary& vocabulary, const std::string& text,
              EncodeOptions options = {}) {
  const absl::StatusOr<Tokenizer> tokenizer = Tokenizer::FromGgufVocabulary(vocabulary, "m.gguf");
  if (!tokenizer.ok()) return {std::string(tokenizer.status().message())};
  const absl::StatusOr<std::vector<int32_t>> ids = tokenizer->Encode(text, options);
  if (!ids.ok()) return {std::string(ids.status().message())};
  Pieces pieces;
  for (const int32_t id : *ids) pieces.emplace_back(tokenizer->TokenText(id));
  return pieces;
}

std::string RoundTrip(const GgufVocabulary& vocabulary, const std::string& text) {
  const absl::StatusOr<Tokenizer> tokenizer = Tokenizer::FromGgufVocabulary(vocabulary, "m.gguf");
  if (!tokenizer.ok()) return std::string(tokenizer.status().message());
  return tokenizer->Decode(tokenizer->Encode(text).value(), /*skip_special=*/true);
}

// " ab": "ab" (-1) merges before "▁a" (-2), and then "▁ab".
TEST(GgufSentencePiece, HandWorkedTexts) {
  const GgufVocabulary v = SentencePiece();
  EXPECT_THAT(Encode(v, "ab"), ElementsAre("<s>",
                                           "\u2581"
                                           "ab"))
      << "BOS and a space in front by default";
  EXPECT_THAT(Encode(v, "aab"), ElementsAre("<s>",
                                            "\u2581"
                                            "a",
                                            "ab"));
  EXPECT_THAT(Encode(v, "a b"), ElementsAre("<s>",
                                            "\u2581"
                                            "a",
                                            "\u2581", "b"));
  EXPECT_THAT(Encode(v, "\n\u00e9z"),
              ElementsAre("<s>", "\u2581", "<0x0A>", "<0xC3>", "<0xA9>", "<unk>"));
  EXPECT_THAT(Encode(v, "bb"), ElementsAre("<s>", "\u2581", "b", "b")) << "bb is unused";
  EXPECT_THAT(Encode(v, ""), ElementsAre("<s>"));
}

TEST(GgufSentencePiece, ControlAndUserDefinedTokens) {
  const GgufVocabulary v = SentencePiece();
  EXPECT_THAT(Encode(v, "a</s><tool>a"), ElementsAre("<s>",
                                                     "\u2581"
                                                     "a",
                                                     "</s>", "<tool>",
                                                     "\u2581"
                                                     "a"));
  EXPECT_THAT(Encode(v, "<s>", {.add_special = false, .parse_special = false}).back(), "<unk>");
  EXPECT_THAT(Encode(v, "<tool>", {.add_special = false, .parse_special = false}),
              ElementsAre("<tool>"))
      << "user-defined tokens are always found";
  EXPECT_THAT(Encode(v, "b  b", {.add_special = false}), ElementsAre("\u2581", "b", "  ", "b"));
}

TEST(GgufSentencePiece, MetadataDecidesWhatIsAdded) {
  GgufVocabulary v = SentencePiece();
  v.add_space_prefix = false;
  v.add_bos = false;
  v.add_eos = true;
  EXPECT_THAT(Encode(v, "ab"), ElementsAre("ab", "</s>"));
  EXPECT_EQ(RoundTrip(v, " ab"), " ab");
  v.add_bos = true;
  v.bos_id = -1;
  EXPECT_THAT(Encode(v, "ab"), ElementsAre("ab", "</s>")) << "a file without BOS adds none";
}

TEST(GgufSentencePiece, DecodingTakesTheSpaceAway) {
  for (const char* text : {"ab", " ab", "a b", "\u00e9 a  b\n", ""}) {
    EXPECT_EQ(RoundTrip(SentencePiece(), text), text);
  }
}

// What a GGUF file cannot carry: to SentencePiece a literal U+2581 is a space.
TEST(GgufSentencePiece, LiteralMarkersBecomeSpaces) {
  EXPECT_THAT(Encode(SentencePiece(),
                     "a\u2581"
                     "a",
                     {.add_special = false}),
              ElementsAre("\u2581"
                          "a",
                          "\u2581"
                          "a"));
  EXPECT_EQ(RoundTrip(SentencePiece(),
                      "a\u2581"
                      "a"),
            "a a");
}

TEST(GgufSentencePiece, TypesCanBeMissing) {
  GgufVocabulary v = SentencePiece();
  v.token_types.clear();
  EXPECT_THAT(Encode(v, "ab\n", {.add_special = false}), ElementsAre("\u2581"
                                                                     "ab",
                                                                     "<0x0A>"));
}

TEST(GgufByteLevel, EveryNamedPatternCompilesAndKeepsTheText) {
  GgufVocabulary v = GgufFromTokenizerJson("tests/oracle/tiny/gpt2/tokenizer.json", "");
  const std::string text =
      "Hello WORLD, it's 12345 \u00bd \u4e2d\u6587\u3042 ca\u00f1on\t\r\n\n  (x) y'LL "
      "!?\u00a0\u2028$";
  EXPECT_THAT(KnownGgufPreTokenizers(), Contains("default"));
  for (const std::string& pre : KnownGgufPreTokenizers()) {
    v.pre = pre;
    EXPECT_EQ(RoundTrip(v, text), text) << pre;
    EXPECT_EQ(RoundTrip(v, std::string(100'000, ' ') + "x").size(), 100'001U) << pre;
  }
}

// Where the patterns differ: digits one by one, in threes or all together, and what a blank or a
// line end goes with.
TEST(GgufByteLevel, PatternsSplitAsTheModelsDo) {
  const auto words = [](const std::string& pre, const std::string& text) {
    // A vocabulary whose only merges are those of digits and of blanks shows where words end.
    GgufVocabulary v;
    v.model = "gpt2";
    v.pre = pre;
    v.tokens = {"1",       "11",           "111", "\u0120", "\u010A", "\u0120\u0120",
                "\u01201", "\u0120\u010A", "'",   "s",      "S",      "'S"};
    v.merges = {"1 1", "11 1", "\u0120 \u0120", "\u0120 1", "\u0120 \u010A", "' S"};
    return Encode(v, text, {.add_special = false});
  };
  for (const char* pre : {"gpt-2", "phi-2", "olmo"}) {
    EXPECT_THAT(words(pre, "1111"), ElementsAre("11", "11")) << pre;
    EXPECT_THAT(words(pre, " 1'S"), ElementsAre("\u01201", "'", "S")) << pre;
  }
  for (const char* pre : {"smollm", "starcoder", "refact", "command-r"}) {
    EXPECT_THAT(words(pre, "1111"), ElementsAre("1", "1", "1", "1")) << pre;
    EXPECT_THAT(words(pre, " 1"), ElementsAre("\u0120", "1")) << pre;
  }
  for (const char* pre : {"llama-bpe", "llama3", "dbrx", "glm4", "gpt-4o"}) {
    EXPECT_THAT(words(pre, "11111"), ElementsAre("111", "11")) << pre;
    EXPECT_THAT(words(pre, " 1"), ElementsAre("\u0120", "1")) << pre;
    EXPECT_THAT(words(pre, " \n  1"), ElementsAre("\u0120\u010A", "\u0120", "\u0120", "1")) << pre;
  }
  EXPECT_THAT(words("llama-bpe", "'S"), ElementsAre("'S")) << "contractions in any case";
  for (const char* pre : {"qwen2", "stablelm2", "tekken", "qwen35"}) {
    EXPECT_THAT(words(pre, "111"), ElementsAre("1", "1", "1")) << pre;
    EXPECT_THAT(words(pre, "  1"), ElementsAre("\u0120", "\u0120", "1")) << pre;
  }
  EXPECT_THAT(words("default", "1111"), ElementsAre("111", "1"));
}

TEST(GgufByteLevel, PreDecidesBosAndWholeWords) {
  GgufVocabulary v;
  v.model = "gpt2";
  v.tokens = {"a", "b", "ab", "ba", "<s>"};
  v.token_types = {1, 1, 1, 1, 3};
  v.merges = {"b a"};
  v.bos_id = 4;
  v.pre = "llama-bpe";
  EXPECT_THAT(Encode(v, "ab"), ElementsAre("<s>", "ab"));
  v.pre = "qwen2";
  EXPECT_THAT(Encode(v, "ab"), ElementsAre("a", "b"));
  v.add_bos = true;
  EXPECT_THAT(Encode(v, "ba"), ElementsAre("<s>", "ba"));
}

TEST(GgufByteLevel, Qwen2NormalisesAsItsTokenizerJsonDoes) {
  GgufVocabulary v = GgufFromTokenizerJson("tests/oracle/tiny/gpt2/tokenizer.json", "qwen2");
  EXPECT_EQ(RoundTrip(v, "e\u0301"), "\u00e9");
  v.pre = "llama-bpe";
  EXPECT_EQ(RoundTrip(v, "e\u0301"), "e\u0301");
}

TEST(Gguf, MistakesNameTheKey) {
  const auto error = [](auto change) {
    GgufVocabulary v = SentencePiece();
    change(&v);
    const absl::StatusOr<TokenizerSpec> spec = SpecFromGgufVocabulary(v, "m.gguf");
    return spec.ok() ? "no error" : std::string(spec.status().message());
  };
  EXPECT_EQ(error([](GgufVocabulary*) {}), "no error");
  EXPECT_EQ(error([](GgufVocabulary* v) { v->tokens.clear(); }),
            "m.gguf: tokenizer.ggml.tokens is missing or empty");
  EXPECT_EQ(error([](GgufVocabulary* v) { v->model = "bert"; }),
            "m.gguf: unknown tokenizer.ggml.model 'bert' (known: gpt2, llama)");
  EXPECT_EQ(error([](GgufVocabulary* v) { v->scores.pop_back(); }),
            "m.gguf: tokenizer.ggml.scores has 14 entries for 15 tokens");
  EXPECT_EQ(error([](GgufVocabulary* v) { v->token_types.pop_back(); }),
            "m.gguf: tokenizer.ggml.token_type has 14 entries for 15 tokens");
  EXPECT_EQ(error([](GgufVocabulary* v) { v->token_types[3] = 9; }),
            "m.gguf: tokenizer.ggml.token_type[3] is 9; the types are 1 to 6");
  EXPECT_EQ(error([](GgufVocabulary* v) { v->bos_id = 15; }),
            "m.gguf: tokenizer.ggml.bos_token_id is 15 but the vocabulary has 15 tokens");
  EXPECT_EQ(error([](GgufVocabulary* v) { v->pad_id = -7; }),
            "m.gguf: tokenizer.ggml.padding_token_id is -7 but the vocabulary has 15 tokens");
  EXPECT_EQ(error([](GgufVocabulary* v) { v->tokens[7] = "\xFF"; }),
            "m.gguf: token 7 is not valid UTF-8");
  EXPECT_EQ(error([](GgufVocabulary* v) { v->scores[2] = std::numeric_limits<float>::infinity(); }),
            "m.gguf: the score of token 2 is not finite");
  const auto byte_level = [&](auto change) {
    return error([&](GgufVocabulary* v) {
      v->model = "gpt2";
      v->merges = {"a b"};
      change(v);
    });
  };
  EXPECT_EQ(byte_level([](GgufVocabulary*) {}), "no error");
  EXPECT_THAT(byte_level([](GgufVocabulary* v) { v->pre = "no-such"; }),
              HasSubstr("m.gguf: unknown tokenizer.ggml.pre 'no-such' (known: chatglm-bpe, "));
  EXPECT_THAT(byte_level([](GgufVocabulary* v) { v->merges.clear(); }),
              HasSubstr("m.gguf: tokenizer.ggml.merges is missing"));
  for (const char* merge : {"ab", "", " ", "a", "a zz", "a  b", "<s> a"}) {
    EXPECT_THAT(byte_level([&](GgufVocabulary* v) { v->merges = {merge}; }),
                HasSubstr("m.gguf: tokenizer.ggml.merges[0] '"))
        << merge;
  }
}

TEST(Gguf, DuplicateAndEmptyTokensAreTolerated) {
  GgufVocabulary v = SentencePiece();
  v.tokens[8] = "a";  // the last of two is the one that is found
  v.tokens[14] = "";
  EXPECT_THAT(Encode(v, "a\n", {.add_special = false}), ElementsAre("\u2581"
                                                                    "a",
                                                                    "<0x0A>"));
  EXPECT_THAT(Encode(v, "", {.add_special = false}), IsEmpty());
}

}  // namespace
}  // namespace weft
