#include "runtime/text/tokenizer_image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <string>

#include "runtime/text/make_tokenizer_image.h"
#include "runtime/text/tokenizer.h"

namespace weft {
namespace {

using ::testing::HasSubstr;

// From docs/plan-format.md, computed elsewhere: other readers and writers of plans rely on them.
TEST(TokenizerImage, Slots) {
  constexpr size_t kSlots = size_t{1} << 20;
  EXPECT_EQ(PieceSlot("", kSlots), 0U);
  EXPECT_EQ(PieceSlot("the", kSlots), 636083U);
  EXPECT_EQ(PieceSlot("12345678", kSlots), 404328U);
  EXPECT_EQ(PieceSlot("\u2581na\u00efvet\u00e9", kSlots), 833917U);
  EXPECT_EQ(MergeSlot(116, 104, kSlots), 771159U);
  EXPECT_EQ(MergeSlot(262143, 7, kSlots), 308078U);
  EXPECT_EQ(MergeSlot(0, 0, 2), 0U);
}

TokenizerSpec Small(bool scored) {
  TokenizerSpec spec;
  spec.tokens = {"a", "b", "ab", "", "<s>", "\u00e9", "<0x0A>"};
  spec.types.assign(spec.tokens.size(), TokenType::kNormal);
  spec.types[3] = TokenType::kAbsent;
  spec.types[4] = TokenType::kControl;
  if (scored) {
    spec.merging = TokenizerSpec::Merging::kScored;
    spec.scores.assign(spec.tokens.size(), -1);
  } else {
    spec.merges = {{0, 1}};
  }
  spec.added_tokens.push_back({.id = 4, .content = "<s>", .special = true, .pattern = "<s>"});
  spec.prefix = {4};
  spec.byte_fallback = true;
  return spec;
}

std::string ImageOf(const TokenizerSpec& spec) { return *MakeTokenizerImage(spec, "t"); }

TEST(TokenizerImage, OtherSpecialIds) {
  const std::string bytes = ImageOf(Small(false));
  const absl::StatusOr<TokenizerImage> image = TokenizerImage::Read(bytes, "t");
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->settings().special_ids.eos, -1);
  EXPECT_EQ(image->BytesWith({}), bytes);
  const std::string changed = image->BytesWith({.bos = 4, .eos = 2, .pad = -1});
  const absl::StatusOr<TokenizerImage> other = TokenizerImage::Read(changed, "t");
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_EQ(other->settings().special_ids.bos, 4);
  EXPECT_EQ(other->settings().special_ids.eos, 2);
  EXPECT_EQ(other->token(2), "ab");
  EXPECT_EQ(other->settings().added_tokens.size(), 1U);
}

TEST(TokenizerImage, ErrorsNameWhatIsWrong) {
  const auto message = [](const std::function<void(TokenizerImageHeader*)>& change) {
    std::string bytes = ImageOf(Small(false));
    TokenizerImageHeader header;
    std::memcpy(&header, bytes.data(), sizeof(header));
    change(&header);
    std::memcpy(bytes.data(), &header, sizeof(header));
    return std::string(TokenizerImage::Read(bytes, "t").status().message());
  };
  EXPECT_EQ(message([](TokenizerImageHeader*) {}), "");
  EXPECT_THAT(message([](TokenizerImageHeader* h) { h->magic[0] = 'w'; }), HasSubstr("version 1"));
  EXPECT_THAT(message([](TokenizerImageHeader* h) { h->version = 2; }), HasSubstr("version 1"));
  EXPECT_THAT(message([](TokenizerImageHeader* h) { h->tokens = 0; }), HasSubstr("0 tokens"));
  EXPECT_THAT(message([](TokenizerImageHeader* h) { h->tokens = ~0U; }), HasSubstr("tokens"));
  EXPECT_THAT(message([](TokenizerImageHeader* h) { h->text_bytes = ~0U; }),
              HasSubstr("text at byte "));
  EXPECT_THAT(message([](TokenizerImageHeader* h) { h->merges = ~0U; }),
              HasSubstr("merges at byte "));
  EXPECT_THAT(message([](TokenizerImageHeader* h) { h->piece_slots = 6; }),
              HasSubstr("table of 6"));
  EXPECT_THAT(message([](TokenizerImageHeader* h) { h->merge_slots = 0; }),
              HasSubstr("table of 0"));
  TokenizerSpec beyond = Small(false);
  beyond.prefix = {7};  // which only a writer that does not validate writes
  EXPECT_THAT(std::string(TokenizerImage::Read(ImageOf(beyond), "t").status().message()),
              HasSubstr("token 7 is to be put around the text"));
  beyond = Small(false);
  beyond.tokens[0] = "\xff";
  EXPECT_FALSE(MakeTokenizerImage(beyond, "t").ok()) << "the merge makes no token";
  beyond.merges.clear();
  EXPECT_THAT(std::string(TokenizerImage::Read(ImageOf(beyond), "t").status().message()),
              HasSubstr("not valid UTF-8"));
  beyond.tokens[0] = "\xc3";
  beyond.tokens[1] = "\xa9";
  EXPECT_THAT(std::string(TokenizerImage::Read(ImageOf(beyond), "t").status().message()),
              HasSubstr("token 1 begins at 1"));
  beyond.tokens[0] = std::string(kMaxTokenBytes + 1, 'x');
  beyond.tokens[1] = "b";
  EXPECT_THAT(std::string(TokenizerImage::Read(ImageOf(beyond), "t").status().message()),
              HasSubstr("token 0 has 4097 bytes"));
}

TEST(TokenizerImage, TruncatedBytesAreAnError) {
  const std::string bytes = ImageOf(Small(false));
  for (size_t size = 0; size < bytes.size(); ++size)
    ASSERT_FALSE(TokenizerImage::Read(bytes.substr(0, size), "t").ok()) << size;
  EXPECT_FALSE(TokenizerImage::Read(bytes + " ", "t").ok());
}

// Every byte in turn; under a sanitizer, each read beyond the block is seen.
TEST(TokenizerImage, DamagedBytesAreAnErrorOrWork) {
  for (const bool scored : {false, true}) {
    const std::string bytes = ImageOf(Small(scored));
    int failed = 0;
    for (size_t at = 0; at < bytes.size(); ++at) {
      for (const int change : {0x01, 0x80, 0xff}) {
        std::string damaged = bytes;
        damaged[at] = static_cast<char>(damaged[at] ^ change);
        const absl::StatusOr<Tokenizer> tokenizer = Tokenizer::FromImage(damaged, nullptr, "t");
        if (!tokenizer.ok()) {
          ++failed;
          EXPECT_THAT(std::string(tokenizer.status().message()), HasSubstr("t:"));
          continue;
        }
        const absl::StatusOr<std::vector<int32_t>> ids = tokenizer->Encode("a<s>b \u00e9 ab\n");
        if (ids.ok()) tokenizer->Decode(*ids, false);
      }
    }
    EXPECT_GT(failed, 1000);
  }
}

}  // namespace
}  // namespace weft
