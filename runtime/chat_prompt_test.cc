#include "runtime/chat_prompt.h"

#include <gtest/gtest.h>

#include "runtime/text/tokenizer_testing.h"

namespace weft {
namespace {

constexpr char kTemplate[] =
    "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}";

class ChatPromptTest : public testing::Test {
 protected:
  void SetUp() override {
    auto tokenizer = Tokenizer::FromTokenizerJson(SmallTokenizerJson().dump(), "tokenizer.json");
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    tokenizer_.emplace(*std::move(tokenizer));
  }

  std::optional<Tokenizer> tokenizer_;  // whose token 260 is <s>, 261 <tool>, and that has no EOS
  const std::vector<ChatMessage> messages_ = {{"user", "in"}};
};

TEST_F(ChatPromptTest, TokensAreThoseOfTheMetadataWhereTheTokenizerKnowsNone) {
  PlanMetadata metadata;
  metadata.bos_id = 260;
  metadata.eos_ids = {261, 259};
  const auto prompt = ChatPrompt("p.weft", kTemplate, metadata, *tokenizer_, messages_);
  ASSERT_TRUE(prompt.ok()) << prompt.status();
  EXPECT_EQ(*prompt, "<s>user: in<tool>assistant: ");
  const auto ids = tokenizer_->Encode(*prompt, kChatEncoding);
  ASSERT_TRUE(ids.ok()) << ids.status();
  EXPECT_EQ(std::count(ids->begin(), ids->end(), 260), 1) << "no BOS beside the template's";
}

TEST_F(ChatPromptTest, ModelsWithoutSuchTokensHaveEmptyOnes) {
  const auto prompt = ChatPrompt("p.weft", kTemplate, PlanMetadata(), *tokenizer_, messages_);
  ASSERT_TRUE(prompt.ok()) << prompt.status();
  EXPECT_EQ(*prompt, "user: inassistant: ");
}

TEST_F(ChatPromptTest, ErrorsAreValues) {
  EXPECT_TRUE(
      absl::IsNotFound(ChatPrompt("p.weft", "", PlanMetadata(), *tokenizer_, messages_).status()));
  for (const char* wrong : {"{% if", "\n{{ messages[7].role }}"}) {
    const auto prompt = ChatPrompt("p.weft", wrong, PlanMetadata(), *tokenizer_, messages_);
    EXPECT_EQ(prompt.status().message().find("p.weft: chat template, line "), 0U)
        << prompt.status();
  }
  EXPECT_FALSE(
      ChatPrompt("p.weft", "{{ raise_exception('roles') }}", PlanMetadata(), *tokenizer_, messages_)
          .ok());
}

}  // namespace
}  // namespace weft
