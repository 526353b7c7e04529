#include "frontends/gguf_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "frontends/families/family.h"
#include "frontends/model_test_util.h"

namespace weft {
namespace {

using testing::AllOf;
using testing::HasSubstr;

absl::StatusOr<DecoderConfig> Parse(const GgufWriter& writer) {
  const TempFolder folder;
  folder.Write("m.gguf", writer.Bytes());
  const auto file = OpenGguf(folder.File("m.gguf"));
  EXPECT_TRUE(file.ok()) << file.status();
  return ParseGgufConfig(*file, "m.gguf");
}

DecoderConfig Parsed(const GgufWriter& writer) {
  const auto config = Parse(writer);
  EXPECT_TRUE(config.ok()) << config.status();
  return config.value_or(DecoderConfig());
}

std::string ErrorOf(const GgufWriter& writer) {
  return std::string(Parse(writer).status().message());
}

// model_test.cc holds whole graphs to the goldens; here is what the tiny models do not have.
TEST(GgufConfig, Defaults) {
  GgufWriter writer = TinyGguf("llama-gqa", "llama");
  writer.Remove("llama.attention.head_count_kv")
      .Remove("llama.attention.key_length")
      .Remove("llama.attention.value_length")
      .Remove("llama.rope.freq_base");
  const DecoderConfig config = Parsed(writer);
  EXPECT_EQ(config.kv_heads, 6);
  EXPECT_EQ(config.head_dim, 16);
  EXPECT_EQ(config.vocab, 512);
  EXPECT_TRUE(config.interleaved_rope);
  EXPECT_FALSE(config.tied);
  EXPECT_FALSE(config.qkv_bias);
  EXPECT_EQ(config.activation, "silu");
  EXPECT_EQ(config.norm_offset, 0);
  ASSERT_EQ(config.ropes.size(), 1U);
  EXPECT_FLOAT_EQ(config.ropes[0].inv_freq[4], 0.01F);  // 10^4 ^ -½
  EXPECT_TRUE(Parsed(writer.Remove("output.weight")).tied);
}

TEST(GgufConfig, BiasesAreThoseOfTheFile) {
  GgufWriter writer = TinyGguf("llama-gqa", "llama");
  writer.Tensor({"blk.0.attn_q.bias", {96}, std::vector<float>(96)});
  DecoderConfig config = Parsed(writer);
  EXPECT_TRUE(config.qkv_bias && !config.attention_out_bias && !config.ffn_bias);
  config = Parsed(TinyGguf("gpt2", "gpt2"));
  EXPECT_TRUE(config.qkv_bias && config.attention_out_bias && config.ffn_bias);
}

TEST(GgufConfig, OneValueMayBeGivenPerLayer) {
  GgufWriter writer = TinyGguf("llama-gqa", "llama");
  writer.Numbers("llama.attention.head_count_kv", {2, 2, 2});
  EXPECT_EQ(Parsed(writer).kv_heads, 2);
  writer.Numbers("llama.attention.head_count_kv", {2, 1, 2});
  EXPECT_THAT(ErrorOf(writer), HasSubstr("llama.attention.head_count_kv differs from layer"));
  writer.Numbers("llama.attention.head_count_kv", {});
  EXPECT_THAT(ErrorOf(writer), HasSubstr("llama.attention.head_count_kv differs from layer"));
}

TEST(GgufConfig, WindowsOfGemma3) {
  const auto windows = [](const DecoderConfig& config) {
    std::string kinds;
    for (const LayerConfig& layer : config.layers) {
      kinds += layer.window > 0 ? 's' : 'f';
      EXPECT_EQ(config.ropes[layer.rope].local, layer.window > 0);
    }
    return kinds;
  };
  GgufWriter writer = TinyGguf("gemma3", "gemma3");
  EXPECT_EQ(windows(Parsed(writer)), "sssssfs");
  const DecoderConfig config = Parsed(writer);
  EXPECT_FLOAT_EQ(config.ropes[config.layers[0].rope].inv_freq[8], 0.01F);   // 10^4 ^ -½
  EXPECT_FLOAT_EQ(config.ropes[config.layers[5].rope].inv_freq[8], 0.001F);  // 10^6 ^ -½
  const std::string key = "gemma3.attention.sliding_window_pattern";
  EXPECT_EQ(windows(Parsed(GgufWriter(writer).Number(key, 3))), "ssfssfs");
  const std::vector<bool> flags = {true, false, true, true, false, true, true};
  EXPECT_EQ(windows(Parsed(GgufWriter(writer).Flags(key, flags))), "sfssfss");
  EXPECT_THAT(ErrorOf(GgufWriter(writer).Flags(key, {true})),
              HasSubstr("sliding_window_pattern is no list of 7 flags"));
}

TEST(GgufConfig, LinearScalingSlowsTheGlobalLayersOnly) {
  GgufWriter writer = TinyGguf("gemma3", "gemma3");
  writer.Text("gemma3.rope.scaling.type", "linear").Float("gemma3.rope.scaling.factor", 8);
  const DecoderConfig config = Parsed(writer);
  EXPECT_FLOAT_EQ(config.ropes[config.layers[0].rope].inv_freq[8], 0.01F);
  EXPECT_FLOAT_EQ(config.ropes[config.layers[5].rope].inv_freq[8], 0.001F / 8);
}

// Gemma's 27B models scale scores by the width of a head in the residual stream, and are known by
// their layers: https://github.com/ggml-org/llama.cpp/blob/master/src/llama-model.cpp.
TEST(GgufConfig, AttentionScales) {
  GgufWriter writer = TinyGguf("gemma3", "gemma3");  // hidden 96, 4 heads of 32
  EXPECT_EQ(Parsed(writer).layers[0].attention_scale, 1 / std::sqrt(32.0));
  EXPECT_EQ(Parsed(GgufWriter(writer).Number("gemma3.block_count", 62)).layers[0].attention_scale,
            1 / std::sqrt(24.0));
  EXPECT_EQ(
      Parsed(GgufWriter(writer).Float("gemma3.attention.scale", 0.25F)).layers[0].attention_scale,
      0.25);
}

TEST(GgufConfig, ErrorsNameTheKey) {
  const GgufWriter base = TinyGguf("llama-gqa", "llama");
  const auto with = [&](const std::string& key, uint32_t value) {
    return ErrorOf(GgufWriter(base).Number(key, value));
  };
  EXPECT_THAT(ErrorOf(GgufWriter()), HasSubstr("general.architecture"));
  EXPECT_THAT(ErrorOf(GgufWriter(base).Text("general.architecture", "mamba")),
              AllOf(HasSubstr("m.gguf: general.architecture 'mamba' is unknown"),
                    HasSubstr("gemma3, gpt2, llama")));
  EXPECT_THAT(ErrorOf(GgufWriter(base).Remove("token_embd.weight")),
              HasSubstr("'token_embd.weight' is missing"));
  for (const char* key : {"llama.block_count", "llama.context_length", "llama.embedding_length",
                          "llama.feed_forward_length", "llama.attention.head_count",
                          "llama.attention.layer_norm_rms_epsilon"}) {
    EXPECT_THAT(ErrorOf(GgufWriter(base).Remove(key)), HasSubstr(key));
    EXPECT_THAT(ErrorOf(GgufWriter(base).Text(key, "many")), HasSubstr(key));
  }
  EXPECT_THAT(with("llama.block_count", 1001), HasSubstr("llama.block_count is 1001"));
  EXPECT_THAT(with("llama.embedding_length", 0), HasSubstr("llama.embedding_length is 0"));
  EXPECT_THAT(with("llama.attention.head_count_kv", 4),
              HasSubstr("llama.attention.head_count_kv is 4, which does not divide"));
  EXPECT_THAT(with("llama.attention.value_length", 8),
              HasSubstr("value_length is 8 and not llama.attention.key_length = "));
  EXPECT_THAT(with("llama.rope.dimension_count", 15), HasSubstr("rope.dimension_count is 15"));
  EXPECT_THAT(with("llama.rope.dimension_count", 18), HasSubstr("rope.dimension_count is 18"));
  EXPECT_THAT(with("llama.attention.key_length", 1025), HasSubstr("key_length is 1025"));
  EXPECT_THAT(with("llama.attention.head_count", 1025), HasSubstr("head_count is 1025"));
  EXPECT_THAT(ErrorOf(GgufWriter(base)
                          .Remove("llama.attention.key_length")
                          .Remove("llama.attention.value_length")
                          .Number("llama.attention.head_count", 2)
                          .Number("llama.attention.head_count_kv", 2)
                          .Number("llama.embedding_length", 1 << 20)),
              HasSubstr("so that a head has 524288 columns, above 1024"));
  EXPECT_THAT(with("llama.expert_count", 8), HasSubstr("models of experts are not supported"));
  EXPECT_THAT(ErrorOf(GgufWriter(base).Text("llama.rope.scaling.type", "yarn")),
              HasSubstr("llama.rope.scaling.type is 'yarn', which is not supported"));
  EXPECT_THAT(ErrorOf(GgufWriter(base).Float("llama.rope.scale_linear", 4)),
              HasSubstr("llama.rope.scale_linear is not 1"));
  EXPECT_THAT(ErrorOf(GgufWriter(base).Tensor({"rope_factors_long.weight", {1}, {1}})),
              HasSubstr("(longrope), which is not supported"));
  EXPECT_THAT(
      ErrorOf(GgufWriter(base).Texts("tokenizer.ggml.tokens", std::vector<std::string>(513, "a"))),
      HasSubstr("is 512, but tokenizer.ggml.tokens lists 513"));
}

TEST(GgufConfig, DivisorsMustBePositiveAndOneForEachPair) {
  const GgufWriter base = TinyGguf("llama-gqa", "llama");  // heads of 16: 8 pairs
  const auto with = [&](std::vector<float> divisors) {
    const auto count = static_cast<int64_t>(divisors.size());
    return GgufWriter(base).Tensor({"rope_freqs.weight", {count}, std::move(divisors)});
  };
  const DecoderConfig config = Parsed(with({1, 1, 1, 1, 2, 1, 1, 1}));
  EXPECT_FLOAT_EQ(config.ropes[0].inv_freq[4], 0.005F);
  EXPECT_THAT(ErrorOf(with({1, 2})), HasSubstr("is f32 [2], expected f32 [8]"));
  EXPECT_THAT(ErrorOf(with({1, 1, 1, 1, 0, 1, 1, 1})),
              HasSubstr("holds 0, expected numbers above"));
  EXPECT_THAT(ErrorOf(with({1, 1, 1, 1, NAN, 1, 1, 1})), HasSubstr("expected numbers above 0"));
  // By which no speed can be divided.
  EXPECT_THAT(ErrorOf(with({1e-45F, 1, 1, 1, 1, 1, 1, 1})), HasSubstr("expected numbers above 0"));
}

}  // namespace
}  // namespace weft
