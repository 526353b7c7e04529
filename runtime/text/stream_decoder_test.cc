#include "runtime/text/stream_decoder.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "runtime/text/tokenizer_testing.h"
#include "runtime/text/utf8.h"

namespace weft {
namespace {

Tokenizer Load(const std::string& name) {
  absl::StatusOr<Tokenizer> tokenizer =
      name == "gemma3"
          ? Tokenizer::FromGgufVocabulary(Gemma3Excerpt(), name)
          : Tokenizer::FromTokenizerJson(ReadTestFile(VectorTokenizerPath(name)), name);
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return *std::move(tokenizer);
}

TEST(StreamDecoder, JoinsToTheDecodedTextOfEveryVector) {
  for (const char* name : {"gpt2", "smollm2", "gemma3"}) {
    const Tokenizer tokenizer = Load(name);
    for (const bool skip_special : {false, true}) {
      StreamDecoder stream(tokenizer, skip_special);
      for (const VectorRow& row : ReadVectors(name)) {
        std::string text;
        for (const int32_t id : row.ids) {
          const std::string part = stream.Add(id);
          EXPECT_TRUE(IsValidUtf8(part)) << name;
          text += part;
        }
        text += stream.Flush();
        EXPECT_EQ(text, skip_special ? tokenizer.Decode(row.ids, true) : row.decoded) << name;
      }
    }
  }
}

// Llama-style: "▁" in front of the text, bytes for what has no piece.
Tokenizer SpacePrefixed() {
  GgufVocabulary v;
  v.model = "llama";
  v.tokens = {"<unk>", "<s>", "\u2581", "\u2581hi", "x"};
  v.token_types = {2, 3, 1, 1, 1};
  for (int byte = 0; byte < 256; ++byte) {
    constexpr char kHex[] = "0123456789ABCDEF";
    v.tokens.push_back(std::string("<0x") + kHex[byte / 16] + kHex[byte % 16] + ">");
    v.token_types.push_back(6);
  }
  v.scores.assign(v.tokens.size(), -1);
  v.unk_id = 0;
  v.bos_id = 1;
  absl::StatusOr<Tokenizer> tokenizer = Tokenizer::FromGgufVocabulary(std::move(v), "m");
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return *std::move(tokenizer);
}

constexpr int32_t kBos = 1;
constexpr int32_t kHi = 3;
constexpr int32_t kX = 4;
int32_t Byte(uint8_t byte) { return 5 + byte; }

TEST(StreamDecoder, TheFirstSpaceGoesOnlyAtTheStart) {
  StreamDecoder stream(SpacePrefixed(), /*skip_special=*/true);
  EXPECT_EQ(stream.Add(kBos), "");
  EXPECT_EQ(stream.Add(kHi), "hi");
  EXPECT_EQ(stream.Add(kHi), " hi");
  EXPECT_EQ(stream.Flush(), "");
  EXPECT_EQ(stream.Add(kHi), "hi") << "after Flush a new text begins";
}

TEST(StreamDecoder, APrimedStreamGoesOnAfterThePrompt) {
  StreamDecoder stream(SpacePrefixed(), /*skip_special=*/true);
  stream.Prime({kBos, kX});
  EXPECT_EQ(stream.Add(kHi), " hi");
  StreamDecoder only_bos(SpacePrefixed(), /*skip_special=*/true);
  only_bos.Prime({kBos});
  EXPECT_EQ(only_bos.Add(kHi), "hi");
}

TEST(StreamDecoder, BytesWaitForTheirCharacter) {
  StreamDecoder stream(SpacePrefixed(), /*skip_special=*/false);
  EXPECT_EQ(stream.Add(Byte(0xF0)), "");  // U+1F600
  EXPECT_EQ(stream.Add(Byte(0x9F)), "");
  EXPECT_EQ(stream.Add(Byte(0x98)), "");
  EXPECT_EQ(stream.Add(Byte(0x80)), "\U0001F600");
  EXPECT_EQ(stream.Add(Byte('a')), "a");
  EXPECT_EQ(stream.Add(Byte(0xC3)), "");
  EXPECT_EQ(stream.Add(kX), "\uFFFDx") << "what can no longer be completed is shown";
  EXPECT_EQ(stream.Add(Byte(0xE2)), "");
  EXPECT_EQ(stream.Add(Byte(0x82)), "");
  EXPECT_EQ(stream.Flush(), "\uFFFD\uFFFD");
  EXPECT_EQ(stream.Flush(), "");
}

TEST(StreamDecoder, IdsBeyondTheVocabularyGiveNothing) {
  StreamDecoder stream(SpacePrefixed(), /*skip_special=*/false);
  EXPECT_EQ(stream.Add(-1), "");
  EXPECT_EQ(stream.Add(100'000), "");
  EXPECT_EQ(stream.Add(kX), "x");
}

}  // namespace
}  // namespace weft
