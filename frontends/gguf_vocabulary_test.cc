#include "frontends/gguf_vocabulary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "frontends/gguf.h"
#include "frontends/model_test_util.h"

namespace weft {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

absl::StatusOr<GgufVocabulary> Read(const GgufWriter& writer) {
  const std::string bytes = writer.Bytes();
  const auto header =
      ParseGguf({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, "v.gguf");
  if (!header.ok()) return header.status();
  return ReadGgufVocabulary(header->metadata);
}

TEST(GgufVocabulary, TakesWhatTheFileSays) {
  const auto vocabulary = Read(GgufWriter()
                                   .Text("tokenizer.ggml.model", "llama")
                                   .Text("tokenizer.ggml.pre", "default")
                                   .Texts("tokenizer.ggml.tokens", {"a", "b"})
                                   .Floats("tokenizer.ggml.scores", {-1.5F, 0})
                                   .Numbers("tokenizer.ggml.token_type", {3, 1})
                                   .Texts("tokenizer.ggml.merges", {"a b"})
                                   .Number("tokenizer.ggml.bos_token_id", 1)
                                   .Number("tokenizer.ggml.padding_token_id", 0xffffffff)
                                   .Flag("tokenizer.ggml.add_bos_token", true)
                                   .Flag("tokenizer.ggml.add_space_prefix", false));
  ASSERT_TRUE(vocabulary.ok()) << vocabulary.status();
  EXPECT_EQ(vocabulary->model, "llama");
  EXPECT_EQ(vocabulary->pre, "default");
  EXPECT_THAT(vocabulary->tokens, ElementsAre("a", "b"));
  EXPECT_THAT(vocabulary->scores, ElementsAre(-1.5F, 0));
  EXPECT_THAT(vocabulary->token_types, ElementsAre(3, 1));
  EXPECT_THAT(vocabulary->merges, ElementsAre("a b"));
  EXPECT_EQ(vocabulary->bos_id, 1);
  EXPECT_EQ(vocabulary->eos_id, -1);
  EXPECT_EQ(vocabulary->pad_id, -1);
  EXPECT_EQ(vocabulary->add_bos, true);
  EXPECT_EQ(vocabulary->add_eos, std::nullopt);
  EXPECT_EQ(vocabulary->add_space_prefix, false);
}

TEST(GgufVocabulary, MostKeysMayBeMissing) {
  const auto vocabulary =
      Read(GgufWriter().Text("tokenizer.ggml.model", "gpt2").Texts("tokenizer.ggml.tokens", {"a"}));
  ASSERT_TRUE(vocabulary.ok()) << vocabulary.status();
  EXPECT_THAT(vocabulary->pre, IsEmpty());
  EXPECT_THAT(vocabulary->scores, IsEmpty());
}

TEST(GgufVocabulary, ErrorsNameTheKey) {
  const auto error = [](const GgufWriter& writer) {
    return std::string(Read(writer).status().message());
  };
  EXPECT_THAT(error(GgufWriter()), HasSubstr("tokenizer.ggml.model"));
  GgufWriter model;
  model.Text("tokenizer.ggml.model", "gpt2");
  EXPECT_THAT(error(model), HasSubstr("tokenizer.ggml.tokens"));
  EXPECT_THAT(error(GgufWriter(model).Number("tokenizer.ggml.tokens", 3)),
              HasSubstr("tokenizer.ggml.tokens"));
  GgufWriter tokens = GgufWriter(model).Texts("tokenizer.ggml.tokens", {"a"});
  EXPECT_THAT(error(GgufWriter(tokens).Text("tokenizer.ggml.bos_token_id", "x")),
              HasSubstr("tokenizer.ggml.bos_token_id"));
  EXPECT_THAT(error(GgufWriter(tokens).Number("tokenizer.ggml.add_bos_token", 1)),
              HasSubstr("tokenizer.ggml.add_bos_token"));
}

}  // namespace
}  // namespace weft
