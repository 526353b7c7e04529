#include "runtime/text/tokenizer_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "runtime/text/tokenizer_testing.h"

namespace weft {
namespace {

using ::testing::HasSubstr;

TokenizerSpec Small() {
  TokenizerSpec spec;
  spec.tokens = {"a", "b", "ab", "", "<s>"};
  spec.types = {TokenType::kNormal, TokenType::kNormal, TokenType::kNormal, TokenType::kAbsent,
                TokenType::kControl};
  spec.merges = {{0, 1}};
  spec.added_tokens.push_back({.id = 4, .content = "<s>", .special = true, .pattern = "<s>"});
  spec.added_tokens.push_back({.id = 2,
                               .content = "A",
                               .lstrip = true,
                               .rstrip = true,
                               .single_word = true,
                               .normalized = true,
                               .pattern = "a"});
  spec.prefix = {4};
  spec.suffix = {4, 0};
  spec.special_ids = {.bos = 4, .eos = -1, .pad = 0};
  spec.unk_id = 1;
  spec.fuse_unk = spec.byte_fallback = spec.ignore_merges = true;
  spec.decoder = {{"type", "Fuse"}};
  return spec;
}

TEST(TokenizerSpec, SettingsSurviveAsJson) {
  const TokenizerSpec spec = Small();
  const absl::StatusOr<TokenizerSettings> back =
      SettingsFromJson(SettingsToJson(spec, {.bos = 2, .eos = -1, .pad = 0}), "t");
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->merging, spec.merging);
  EXPECT_EQ(back->unk_id, 1);
  EXPECT_TRUE(back->fuse_unk && back->byte_fallback && back->ignore_merges);
  EXPECT_TRUE(back->normalizer.is_null());
  EXPECT_EQ(back->decoder, spec.decoder);
  EXPECT_EQ(back->prefix, spec.prefix);
  EXPECT_EQ(back->suffix, spec.suffix);
  EXPECT_EQ(back->special_ids.bos, 2) << "the ids given stand in place of the spec's";
  EXPECT_EQ(back->special_ids.eos, -1);
  EXPECT_EQ(back->special_ids.pad, 0);
}

TEST(TokenizerSpec, ValidationNamesWhatIsWrong) {
  const auto message = [](auto change) {
    TokenizerSpec spec = Small();
    change(&spec);
    return std::string(ValidateTokenizerSpec(spec, "t").message());
  };
  EXPECT_EQ(message([](TokenizerSpec*) {}), "");
  EXPECT_THAT(message([](TokenizerSpec* s) { *s = TokenizerSpec(); }),
              HasSubstr("t: the vocabulary is empty"));
  EXPECT_THAT(message([](TokenizerSpec* s) { s->types.pop_back(); }),
              HasSubstr("4 token types for 5 tokens"));
  EXPECT_THAT(message([](TokenizerSpec* s) { s->merging = TokenizerSpec::Merging::kScored; }),
              HasSubstr("0 scores for 5 tokens"));
  EXPECT_THAT(message([](TokenizerSpec* s) {
                s->merging = TokenizerSpec::Merging::kScored;
                s->scores = {0, 0, std::numeric_limits<float>::quiet_NaN(), 0, 0};
              }),
              HasSubstr("the score of token 2 is not finite"));
  EXPECT_THAT(message([](TokenizerSpec* s) { s->tokens[1] = "\xC3"; }),
              HasSubstr("token 1 is not valid UTF-8"));
  EXPECT_THAT(message([](TokenizerSpec* s) { s->tokens[1] = std::string(5000, 'x'); }),
              HasSubstr("token 1 has 5000 bytes; the most is 4096"));
  EXPECT_THAT(message([](TokenizerSpec* s) { s->merges.emplace_back(0, 5); }),
              HasSubstr("merge 1 names a token id"));
  EXPECT_THAT(message([](TokenizerSpec* s) { s->merges.emplace_back(-1, 0); }),
              HasSubstr("merge 1 names a token id"));
  EXPECT_THAT(message([](TokenizerSpec* s) { s->added_tokens[0].id = 5; }),
              HasSubstr("'<s>' has id 5, beyond"));
  EXPECT_THAT(message([](TokenizerSpec* s) { s->added_tokens[0].pattern = ""; }),
              HasSubstr("added token 4 is empty"));
  EXPECT_THAT(
      message([](TokenizerSpec* s) { s->added_tokens[0].pattern = std::string(5000, 'x'); }),
      HasSubstr("added token 4 has 5000 bytes"));
  EXPECT_THAT(message([](TokenizerSpec* s) { s->prefix = {9}; }),
              HasSubstr("token 9 is to be put around"));
  EXPECT_THAT(message([](TokenizerSpec* s) { s->suffix = {-1}; }),
              HasSubstr("token -1 is to be put around"));
  EXPECT_THAT(message([](TokenizerSpec* s) { s->unk_id = 5; }),
              HasSubstr("the unknown token id 5"));
  EXPECT_THAT(message([](TokenizerSpec* s) { s->special_ids.eos = -2; }),
              HasSubstr("the EOS token id -2"));
}

TEST(TokenizerSpec, DamagedSettingsAreAnErrorOrInRange) {
  const TokenizerSpec spec = Small();
  const std::string text = SettingsToJson(spec, spec.special_ids);
  int failed = 0;
  for (const nlohmann::json& damaged : Damaged(nlohmann::json::parse(text))) {
    const absl::StatusOr<TokenizerSettings> settings = SettingsFromJson(damaged.dump(), "t");
    if (settings.ok()) continue;
    ++failed;
    EXPECT_THAT(std::string(settings.status().message()), HasSubstr("t:"));
  }
  EXPECT_GT(failed, 50);
  for (size_t size = 0; size < text.size(); ++size)
    ASSERT_FALSE(SettingsFromJson(text.substr(0, size), "t").ok()) << size;
}

}  // namespace
}  // namespace weft
