#include "runtime/text/tokenizer_decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace weft {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ByteRuns = Decoder::ByteRuns;
using Tokens = std::vector<std::string>;

constexpr char kLlama[] = R"({"type": "Sequence", "decoders": [
    {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
    {"type": "ByteFallback"}, {"type": "Fuse"},
    {"type": "Strip", "content": " ", "start": 1, "stop": 0}]})";

std::string Decode(const std::string& config, const Tokens& tokens,
                   ByteRuns runs = ByteRuns::kWhole) {
  const absl::StatusOr<Decoder> decoder = Decoder::Create(json::parse(config), "t.json: decoder");
  if (!decoder.ok()) return std::string(decoder.status().message());
  Decoder::Stream stream(*decoder, runs);
  std::string text;
  for (const std::string& token : tokens) stream.Add(token, &text);
  stream.Finish(&text);
  return text;
}

TEST(Decoder, ByteLevel) {
  const std::string config = R"({"type": "ByteLevel"})";
  EXPECT_EQ(Decode(config, {"Hello", "\u0120world", "\u00c3", "\u00a9"}), "Hello world\u00e9");
  EXPECT_EQ(Decode(config, {"\u00c3", "a"}), "\uFFFDa");
  EXPECT_EQ(Decode(config, {"\u00e2", "\u0124"}), "\uFFFD")
      << "two bytes of three: one maximal subpart";
  EXPECT_EQ(Decode(config, {"a b", "\u4e00"}), "a b\u4e00")
      << "tokens outside the alphabet stand for themselves";
}

TEST(Decoder, SentencePiece) {
  EXPECT_EQ(Decode(kLlama, {"\u2581Hello", "\u2581", "\u2581world"}), "Hello  world");
  EXPECT_EQ(Decode(kLlama, {"<s>", "\u2581Hello"}), "<s> Hello")
      << "only the first character may go";
  EXPECT_EQ(Decode(kLlama, {"a", "<0xE2>", "<0x82>", "<0xAC>", "b"}), "a\u20acb");
  EXPECT_EQ(Decode(kLlama, {"<0x20>", "x"}), "x") << "a byte can be the blank that goes";
}

// Hugging Face gives U+FFFD for each byte of a run that is not valid as a whole.
TEST(Decoder, BrokenByteRuns) {
  const Tokens broken = {"a", "<0xE2>", "<0x82>", "<0xAC>", "<0xE2>", "b"};
  EXPECT_EQ(Decode(kLlama, broken), "a\uFFFD\uFFFD\uFFFD\uFFFDb");
  EXPECT_EQ(Decode(kLlama, broken, ByteRuns::kPrompt), "a\u20ac\uFFFDb");
  EXPECT_EQ(Decode(kLlama, {"<0xF0>", "<0x9F>", "<0x98>"}), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(Decode(kLlama, {"<0xF0>", "<0x9F>", "<0x98>"}, ByteRuns::kPrompt),
            "\uFFFD\uFFFD\uFFFD");
}

TEST(Decoder, StripOnPiecesAndOnFusedText) {
  EXPECT_EQ(Decode(R"({"type": "Strip", "content": "H", "start": 1, "stop": 0})",
                   {"Hey", " friend!", "HHH"}),
            "ey friend!HH");
  EXPECT_EQ(Decode(R"({"type": "Strip", "content": "y", "start": 0, "stop": 1})", {"Hey", "y"}),
            "He");
  const std::string fused = R"({"type": "Sequence", "decoders": [{"type": "Fuse"},
      {"type": "Strip", "content": "y", "start": 2, "stop": 1}]})";
  EXPECT_EQ(Decode(fused, {"y", "y", "ya", "y", "by", "y", "y"}), "yaybyy");
  EXPECT_EQ(Decode(fused, {"y"}), "");
  EXPECT_EQ(Decode(fused, {"yyay"}), "a");
  EXPECT_EQ(Decode(fused, {}), "");
}

TEST(Decoder, Metaspace) {
  const std::string config = R"({"type": "Metaspace", "replacement": "\u2581"})";
  EXPECT_EQ(Decode(config, {"\u2581Hey", "\u2581my",
                            "\u2581"
                            "friend"}),
            "Hey my friend");
  EXPECT_EQ(
      Decode(R"({"type": "Metaspace", "prepend_scheme": "never"})", {"\u2581Hey", "\u2581you"}),
      " Hey you");
}

TEST(Decoder, WithoutConfigTokensAreJoinedByBlanks) {
  EXPECT_EQ(Decode("null", {"a", "b", "c"}), "a b c");
  EXPECT_EQ(Decode("null", {}), "");
}

TEST(Decoder, NoOutputEverEndsInHalfACharacter) {
  const absl::StatusOr<Decoder> decoder =
      Decoder::Create(json::parse(R"({"type": "ByteLevel"})"), "t");
  ASSERT_TRUE(decoder.ok());
  Decoder::Stream stream(*decoder, ByteRuns::kPrompt);
  std::string text;
  stream.Add("a\u00f0", &text);  // U+1F600 is F0 9F 98 80
  EXPECT_EQ(text, "a");
  stream.Add("\u0141", &text);
  stream.Add("\u013a", &text);
  EXPECT_EQ(text, "a");
  stream.Add("\u0122", &text);
  EXPECT_EQ(text, "a\U0001F600");
}

TEST(Decoder, FinishStartsAnew) {
  const absl::StatusOr<Decoder> decoder = Decoder::Create(json::parse(kLlama), "t");
  ASSERT_TRUE(decoder.ok());
  Decoder::Stream stream(*decoder, ByteRuns::kPrompt);
  std::string text;
  for (int i = 0; i < 2; ++i) {
    stream.Add("\u2581x", &text);
    stream.Finish(&text);
  }
  EXPECT_EQ(text, "xx");
}

TEST(Decoder, TokenBytes) {
  const auto bytes = [](const std::string& config, const std::string& token) {
    const absl::StatusOr<Decoder> decoder = Decoder::Create(json::parse(config), "t");
    TextBudget budget(token.size());
    return decoder.ok() ? decoder->TokenBytes(token, budget) : "error";
  };
  EXPECT_EQ(bytes(R"({"type": "ByteLevel"})", "\u0120\u00c3"), " \xC3");
  EXPECT_EQ(bytes(kLlama,
                  "\u2581"
                  "a"),
            " a");
  EXPECT_EQ(bytes(kLlama, "<0xC3>"), "\xC3");
  EXPECT_EQ(bytes(R"({"type": "Metaspace"})",
                  "\u2581"
                  "a"),
            " a");
  EXPECT_EQ(bytes("null", "a"), "a");
}

TEST(Decoder, MistakesNameTheField) {
  EXPECT_THAT(Decode(R"({"type": "CTC"})", {}),
              HasSubstr("t.json: decoder: unknown decoder 'CTC' (known: "));
  EXPECT_THAT(
      Decode(R"({"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "ByteFallback"}]})",
             {}),
      HasSubstr("decoder.decoders[1]: decoder 'ByteFallback' after Fuse or ByteLevel is not"));
  EXPECT_THAT(Decode(R"({"type": "Strip", "content": "ab", "start": 1, "stop": 0})", {}),
              HasSubstr("'content' must be one character"));
  EXPECT_THAT(Decode(R"({"type": "Strip", "content": "a", "start": -1, "stop": 0})", {}),
              HasSubstr("'start' must be a whole number from 0"));
  EXPECT_THAT(
      Decode(R"({"type": "Strip", "content": "a", "start": 18446744073709551615, "stop": 0})", {}),
      HasSubstr("'start' must be a whole number from 0"));
  EXPECT_THAT(Decode(R"({"type": "Strip", "content": "a", "start": 1})", {}),
              HasSubstr("'stop' is missing"));
  EXPECT_THAT(Decode(R"({"type": "Sequence", "decoders": {}})", {}), HasSubstr("must be an array"));
  EXPECT_THAT(Decode("[1]", {}), HasSubstr("expected an object, found array"));
}

}  // namespace
}  // namespace weft
