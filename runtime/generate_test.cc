#include "runtime/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "runtime/test_kernels.h"

namespace weft {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// Byte-level: ids 2 and 3 are the two bytes of "é" (0xC3 0xA9, spelled "Ã" and "©"), 7 is special.
constexpr char kTokenizer[] = R"({
  "version": "1.0", "truncation": null, "padding": null,
  "added_tokens": [{"id": 7, "content": "<end>", "single_word": false, "lstrip": false,
                    "rstrip": false, "normalized": false, "special": true}],
  "normalizer": null,
  "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
                    "use_regex": true},
  "post_processor": null,
  "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true,
              "use_regex": true},
  "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
            "ignore_merges": false,
            "vocab": {"a": 0, "b": 1, "Ã": 2, "©": 3, "c": 4, "d": 5, "e": 6}, "merges": []}})";

// Kernels are plain functions, so what they touch is global.
std::atomic<bool> g_cancel = false;
std::atomic<int32_t> g_cancel_at = -1;  // while this token is computed

// The best token after id is (id + 1) mod 8, the second best (id + 2) mod 8.
TestModel SuccessorModel() {
  TestModel model(4, 1, 30);
  const KernelFn successor = [](const KernelContext* context, void* const* operands, int64_t begin,
                                int64_t end) {
    const int32_t last = static_cast<const int32_t*>(operands[0])[context->tokens - 1];
    for (int64_t v = begin; v < end; ++v) {
      const int64_t distance = (v - last + TestModel::kVocab) % TestModel::kVocab;
      static_cast<float*>(operands[1])[v] = distance == 1 ? 1.0f : distance == 2 ? 0.9f : 0.0f;
    }
    if (last == g_cancel_at) g_cancel = true;
  };
  const KernelFn nothing = [](const KernelContext*, void* const*, int64_t, int64_t) {};
  model.Add("successor", successor, Extent::kOne, TestModel::kVocab, 2,
            {model.program.tokens, model.program.logits});
  model.Add("nothing", nothing, Extent::kOne, 1, 1, {TestModel::Reads(model.program.logits)});
  return model;
}

class GenerateTest : public testing::Test {
 protected:
  void SetUp() override {
    const TestModel model = SuccessorModel();
    ExecutorOptions options;
    options.threads = 2;
    g_cancel = false;
    g_cancel_at = -1;
    options.cancel = &g_cancel;
    auto executor = Executor::Create(model.program, model.kernels, nullptr, options);
    ASSERT_TRUE(executor.ok()) << executor.status();
    executor_ = *std::move(executor);
    session_.emplace(executor_.get());
    auto tokenizer = Tokenizer::FromTokenizerJson(kTokenizer, "tokenizer.json");
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    decoder_.emplace(*tokenizer, /*skip_special=*/true);
    SamplerOptions greedy;
    greedy.temperature = 0;
    auto sampler = Sampler::Create(greedy);
    ASSERT_TRUE(sampler.ok()) << sampler.status();
    sampler_ = *std::move(sampler);
  }

  absl::StatusOr<GenerateResult> Run(const std::vector<int32_t>& prompt) {
    return Generate(*session_, prompt, options_, *sampler_, *decoder_, [&](absl::string_view text) {
      pieces_.emplace_back(text);
      return on_text_;
    });
  }

  std::unique_ptr<Executor> executor_;
  std::optional<Session> session_;
  std::optional<StreamDecoder> decoder_;
  std::optional<Sampler> sampler_;
  GenerateOptions options_;
  std::vector<std::string> pieces_;
  absl::Status on_text_;
};

TEST_F(GenerateTest, EndsAtAStopId) {
  options_.stop_ids = {6, 5};
  const auto result = Run({7, 0, 7, 7, 7, 0});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->stop_reason, StopReason::kStopId);
  EXPECT_THAT(result->ids, ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(result->text, "béc");
  EXPECT_THAT(pieces_, ElementsAre("b", "é", "c")) << "no half characters";
  EXPECT_EQ(result->prompt_tokens, 6);
  EXPECT_THAT(result->decode_ms, SizeIs(4)) << "the stop id was computed too";
  EXPECT_GT(result->prefill_ms, 0);
  EXPECT_GT(result->TotalDecodeMs(), 0);
  EXPECT_EQ(session_->position(), 6 + 4);
}

TEST_F(GenerateTest, IgnoresStopIdsOnDemand) {
  options_.stop_ids = {4};
  options_.ignore_eos = true;
  options_.max_new_tokens = 7;
  const auto result = Run({1});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->stop_reason, StopReason::kMaxTokens);
  EXPECT_THAT(result->ids, ElementsAre(2, 3, 4, 5, 6, 7, 0));
  EXPECT_EQ(result->text, "écdea") << "special tokens have no text";
}

TEST_F(GenerateTest, CountsTokens) {
  options_.max_new_tokens = 0;
  auto result = Run({1, 2, 3});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->stop_reason, StopReason::kMaxTokens);
  EXPECT_THAT(result->ids, IsEmpty());
  options_.max_new_tokens = 1;
  result = Run({3});
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(result->ids, ElementsAre(4));
  EXPECT_THAT(result->decode_ms, IsEmpty());
  EXPECT_EQ(session_->position(), 4) << "the last token is not computed";
}

TEST_F(GenerateTest, FlushesAnUnfinishedCharacter) {
  options_.max_new_tokens = 2;
  const auto result = Run({0});
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(result->ids, ElementsAre(1, 2));
  EXPECT_EQ(result->text, "b\xef\xbf\xbd");
  EXPECT_THAT(pieces_, ElementsAre("b", "\xef\xbf\xbd"));
}

TEST_F(GenerateTest, EndsWithTheContext) {
  const auto result = Run({4, 4, 4, 4, 4, 4, 4, 4, 4, 4});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->stop_reason, StopReason::kContextEnd);
  EXPECT_THAT(result->ids, SizeIs(21)) << "20 in the context of 30 and one that follows it";
  EXPECT_EQ(session_->position(), 30);
  EXPECT_EQ(Run({4}).status().code(), absl::StatusCode::kOutOfRange);
}

TEST_F(GenerateTest, PromptsThatCannotBe) {
  EXPECT_THAT(std::string(Run(std::vector<int32_t>(31, 1)).status().message()),
              HasSubstr("31 tokens after position 0 do not fit the context of 30"));
  EXPECT_THAT(std::string(Run({}).status().message()), HasSubstr("empty"));
  EXPECT_THAT(std::string(Run({8}).status().message()), HasSubstr("token id 8"));
  EXPECT_THAT(pieces_, IsEmpty());
}

TEST_F(GenerateTest, CancelPrintsWhatIsPending) {
  g_cancel_at = 2;  // half a character has been chosen and waits in the decoder
  auto result = Run({0});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->stop_reason, StopReason::kCancelled);
  EXPECT_THAT(result->ids, ElementsAre(1, 2));
  EXPECT_THAT(pieces_, ElementsAre("b", "\xef\xbf\xbd"));
  result = Run({1});
  ASSERT_TRUE(result.ok()) << "cancelled in the prompt";
  EXPECT_EQ(result->stop_reason, StopReason::kCancelled);
  EXPECT_THAT(result->ids, IsEmpty());
}

TEST_F(GenerateTest, TextThatNobodyTakesEndsIt) {
  on_text_ = absl::UnavailableError("closed pipe");
  EXPECT_EQ(Run({0}).status().message(), "closed pipe");
  EXPECT_THAT(pieces_, SizeIs(1));
}

TEST_F(GenerateTest, TheSamplerKnowsThePrompt) {
  SamplerOptions penalised;
  penalised.temperature = 0;
  penalised.repeat_penalty = 2;
  sampler_ = *Sampler::Create(penalised);
  options_.max_new_tokens = 3;
  const auto result = Run({1, 0});
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(result->ids, ElementsAre(2, 3, 4)) << "1 stood in the prompt";
}

}  // namespace
}  // namespace weft
