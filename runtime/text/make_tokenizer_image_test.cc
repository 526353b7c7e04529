#include "runtime/text/make_tokenizer_image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "runtime/text/tokenizer_image.h"

namespace weft {
namespace {

using ::testing::HasSubstr;

TokenizerSpec Small() {
  TokenizerSpec spec;
  spec.tokens = {"a", "b", "ab", "", "<s>", "<0x0A>", "b", "abb"};
  spec.types.assign(spec.tokens.size(), TokenType::kNormal);
  spec.types[3] = TokenType::kAbsent;
  spec.types[4] = TokenType::kControl;
  spec.types[5] = TokenType::kByte;
  spec.merges = {{0, 1}, {0, 6}, {2, 6}, {0, 1}};
  spec.added_tokens.push_back({.id = 4, .content = "<s>", .special = true, .pattern = "<s>"});
  spec.added_tokens.push_back({.id = 2,
                               .content = "AB",
                               .lstrip = true,
                               .rstrip = true,
                               .single_word = true,
                               .normalized = true,
                               .pattern = "\u00e4b"});
  spec.prefix = {4};
  spec.unk_id = 1;
  spec.fuse_unk = true;
  spec.special_ids.bos = 4;
  return spec;
}

class Image {
 public:
  explicit Image(const TokenizerSpec& spec)
      : bytes_(*MakeTokenizerImage(spec, "t")), image_(*TokenizerImage::Read(bytes_, "t")) {}
  const TokenizerImage* operator->() const { return &image_; }

 private:
  std::string bytes_;
  TokenizerImage image_;
};

TEST(MakeTokenizerImage, HoldsTheVocabulary) {
  const TokenizerSpec spec = Small();
  const Image image(spec);
  ASSERT_EQ(image->size(), spec.tokens.size());
  for (int32_t id = 0; id < 8; ++id) {
    EXPECT_EQ(image->token(id), spec.tokens[id]);
    EXPECT_EQ(image->type(id), spec.types[id]);
  }
  for (int byte = 0; byte < 256; ++byte)
    EXPECT_EQ(image->byte_token(static_cast<uint8_t>(byte)), byte == '\n' ? 5 : -1);
  EXPECT_EQ(image->longest_piece(), 3U);
  EXPECT_FALSE(image->cuts_before_space_marker()) << "there is no space marker";
}

TEST(MakeTokenizerImage, FindsPieces) {
  const Image image(Small());
  EXPECT_EQ(image->FindPiece("a"), 0);
  EXPECT_EQ(image->FindPiece("b"), 6) << "of pieces with one text the last";
  EXPECT_EQ(image->FindPiece("ab"), 2);
  EXPECT_EQ(image->FindPiece("abb"), 7);
  for (const char* text : {"", "<s>", "<0x0A>", "A", "abbb", "c"})
    EXPECT_EQ(image->FindPiece(text), -1) << text;
}

TEST(MakeTokenizerImage, FindsMerges) {
  const Image image(Small());
  const auto find = [&](int32_t left, int32_t right) {
    const TokenizerImage::Merge merge = image->FindMerge(left, right);
    return std::pair(merge.rank, merge.id);
  };
  EXPECT_EQ(find(0, 1), std::pair(3, 2)) << "of merges of one pair the last";
  EXPECT_EQ(find(0, 6), std::pair(1, 2));
  EXPECT_EQ(find(2, 6), std::pair(2, 7));
  EXPECT_EQ(find(1, 0).first, -1);
  EXPECT_EQ(find(7, 7).first, -1);
}

// Enough of them for searches to meet occupied slots.
TEST(MakeTokenizerImage, FindsAllOfMany) {
  TokenizerSpec spec;
  for (int i = 0; i < 3000; ++i) spec.tokens.push_back(absl::StrCat("t", i));
  for (int i = 0; i < 1000; ++i) {
    spec.tokens.push_back(spec.tokens[i] + spec.tokens[i + 1]);
    spec.merges.emplace_back(i, i + 1);
  }
  spec.types.assign(spec.tokens.size(), TokenType::kNormal);
  const Image image(spec);
  for (int32_t id = 0; id < 4000; ++id) EXPECT_EQ(image->FindPiece(spec.tokens[id]), id);
  for (int32_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(image->FindMerge(i, i + 1).rank, i);
    EXPECT_EQ(image->FindMerge(i, i + 1).id, 3000 + i);
    EXPECT_EQ(image->FindMerge(i + 1, i).rank, -1);
  }
}

TEST(MakeTokenizerImage, HoldsSettingsAndAddedTokens) {
  const Image image(Small());
  const TokenizerSettings& settings = image->settings();
  EXPECT_EQ(settings.merging, TokenizerSettings::Merging::kRanked);
  EXPECT_EQ(settings.unk_id, 1);
  EXPECT_TRUE(settings.fuse_unk);
  EXPECT_EQ(settings.prefix, std::vector<int32_t>{4});
  EXPECT_EQ(settings.special_ids.bos, 4);
  ASSERT_EQ(settings.added_tokens.size(), 2U);
  const AddedToken& first = settings.added_tokens[0];
  EXPECT_EQ(first.id, 4);
  EXPECT_EQ(first.content, "<s>");
  EXPECT_EQ(first.pattern, "<s>");
  EXPECT_TRUE(first.special && !first.lstrip && !first.rstrip && !first.single_word &&
              !first.normalized);
  const AddedToken& second = settings.added_tokens[1];
  EXPECT_EQ(second.id, 2);
  EXPECT_EQ(second.content, "AB");
  EXPECT_EQ(second.pattern, "\u00e4b");
  EXPECT_TRUE(!second.special && second.lstrip && second.rstrip && second.single_word &&
              second.normalized);
}

TEST(MakeTokenizerImage, ScoresSurviveExactly) {
  TokenizerSpec spec = Small();
  spec.merging = TokenizerSpec::Merging::kScored;
  spec.merges.clear();
  spec.scores = {-0.1F, 1e-30F, -250866.0F, 0.0F, std::numeric_limits<float>::lowest(), 1, 2, 3};
  spec.types[7] = TokenType::kUnused;
  const Image image(spec);
  for (int32_t id = 0; id < 8; ++id) EXPECT_EQ(image->score(id), spec.scores[id]);
  EXPECT_EQ(image->FindPiece("abb"), 7) << "unused pieces take part in merging by scores";
}

TEST(MakeTokenizerImage, CutsBeforeSpaceMarkersThatNoMergeCrosses) {
  TokenizerSpec spec;
  spec.merging = TokenizerSpec::Merging::kScored;
  spec.tokens = {"\u2581", "a", "\u2581a", "\u2581\u2581"};
  spec.types.assign(4, TokenType::kNormal);
  spec.scores.assign(4, 0);
  EXPECT_TRUE(Image(spec)->cuts_before_space_marker());
  spec.ignore_merges = true;
  EXPECT_FALSE(Image(spec)->cuts_before_space_marker());
  spec.ignore_merges = false;
  spec.tokens[1] = "a\u2581";
  EXPECT_FALSE(Image(spec)->cuts_before_space_marker());
  spec.merging = TokenizerSpec::Merging::kRanked;
  spec.scores.clear();
  EXPECT_TRUE(Image(spec)->cuts_before_space_marker()) << "no merge makes the piece";
}

TEST(MakeTokenizerImage, EqualSpecsGiveEqualBytes) {
  EXPECT_EQ(*MakeTokenizerImage(Small(), "a"), *MakeTokenizerImage(Small(), "b"));
}

TEST(MakeTokenizerImage, AMergeIntoNothingIsAnError) {
  TokenizerSpec spec = Small();
  spec.merges.emplace_back(1, 0);
  EXPECT_THAT(std::string(MakeTokenizerImage(spec, "t").status().message()),
              HasSubstr("t: merge 4 of 'b' and 'a' makes something that is not in the vocabulary"));
}

}  // namespace
}  // namespace weft
