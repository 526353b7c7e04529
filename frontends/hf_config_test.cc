#include "frontends/hf_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "frontends/families/family.h"
#include "frontends/model_test_util.h"
#include "ir/text.h"

namespace weft {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

DecoderConfig Parsed(const json& config) {
  const auto parsed = ParseHfConfig(config, "config.json");
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.value_or(DecoderConfig());
}

std::string ErrorOf(const json& config) {
  return std::string(ParseHfConfig(config, "config.json").status().message());
}

// "sfs…": which layers attend within a window, which see all.
std::string Windows(const DecoderConfig& config) {
  std::string kinds;
  for (const LayerConfig& layer : config.layers) kinds += layer.window > 0 ? 's' : 'f';
  return kinds;
}

// The same model as transformers 4 wrote it.
json AsVersion4(json config) {
  config["transformers_version"] = "4.44.0";
  config["torch_dtype"] = config["dtype"];
  config.erase("dtype");
  config.erase("layer_types");
  if (config.contains("_sliding_window_pattern")) {
    config["sliding_window_pattern"] = config["_sliding_window_pattern"];
    config.erase("_sliding_window_pattern");
  }
  if (!config.contains("rope_parameters")) return config;
  json rope = config["rope_parameters"];
  config.erase("rope_parameters");
  if (rope.contains("full_attention")) {
    config["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"];
    rope = json(rope["full_attention"]);
  }
  config["rope_theta"] = rope["rope_theta"];
  rope.erase("rope_theta");
  rope.erase("partial_rotary_factor");
  config["rope_scaling"] = rope["rope_type"] == "default" ? json() : rope;
  return config;
}

class Generations : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Tiny, Generations,
                         testing::Values("gpt2", "llama-gqa", "llama3-rope", "mistral-swa", "qwen2",
                                         "qwen3", "phi3", "gemma2", "gemma3"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::erase(name, '-');
                           return name;
                         });

// model_test.cc holds the graph of the version 5 file to the golden.
TEST_P(Generations, GiveTheSameGraph) {
  const auto expected = LoadModel(TinyFolder(GetParam()), {.tokenizer = false});
  ASSERT_TRUE(expected.ok()) << expected.status();
  const json version4 = AsVersion4(TinyConfig(GetParam()));
  // Multimodal checkpoints have the decoder's fields one level down.
  json nested = {{"model_type", version4["model_type"]}, {"text_config", version4}};
  for (const json& config : {version4, nested}) {
    const TempFolder folder;
    folder.LinkWeights(GetParam());
    folder.Write("config.json", config.dump());
    auto model = LoadModel(folder.path(), {.tokenizer = false});
    ASSERT_TRUE(model.ok()) << model.status();
    model->module.name = expected->module.name;
    EXPECT_EQ(ir::Print(model->module), ir::Print(expected->module));
  }
}

// The fields of published files, which leave the rest to the defaults.
TEST(HfConfig, Gemma3With4BParameters) {
  const DecoderConfig config = Parsed(json::parse(R"({
    "architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3",
    "eos_token_id": [1, 106], "text_config": {
      "hidden_size": 2560, "intermediate_size": 10240, "model_type": "gemma3_text",
      "num_hidden_layers": 34, "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
      "sliding_window": 1024},
    "vision_config": {"hidden_size": 1152}})"));
  EXPECT_EQ(config.vocab, 262208);
  EXPECT_EQ(config.heads, 8);
  EXPECT_EQ(config.kv_heads, 4);
  EXPECT_EQ(config.head_dim, 256);
  EXPECT_EQ(config.max_positions, 131072);
  EXPECT_EQ(config.activation, "gelu_tanh");
  EXPECT_EQ(config.norm_eps, 1e-6);
  EXPECT_EQ(config.norm_offset, 1);
  EXPECT_EQ(config.embedding_scale, 50.596442F);  // sqrt(2560)
  EXPECT_TRUE(config.tied);
  EXPECT_EQ(config.attention_softcap, 0);
  EXPECT_EQ(Windows(config), "sssssfsssssfsssssfsssssfsssssfssss");
  EXPECT_EQ(config.layers[0].window, 1024);
  EXPECT_EQ(config.layers[0].attention_scale, 1.0 / 16);
  const RopeConfig& local = config.ropes[config.layers[0].rope];
  const RopeConfig& global = config.ropes[config.layers[5].rope];
  EXPECT_TRUE(local.local);
  EXPECT_FLOAT_EQ(local.inv_freq[64], 0.01F);        // 10^4 ^ -½
  EXPECT_FLOAT_EQ(global.inv_freq[64], 0.001F / 8);  // 10^6 ^ -½, slower by the factor
}

TEST(HfConfig, Gpt2Small) {
  const DecoderConfig config = Parsed(json::parse(R"({
    "activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.1,
    "bos_token_id": 50256, "eos_token_id": 50256, "initializer_range": 0.02,
    "layer_norm_epsilon": 1e-05, "model_type": "gpt2", "n_ctx": 1024, "n_embd": 768, "n_head": 12,
    "n_layer": 12, "n_positions": 1024, "vocab_size": 50257})"));
  EXPECT_EQ(config.intermediate, 3072);
  EXPECT_EQ(config.kv_heads, 12);
  EXPECT_EQ(config.head_dim, 64);
  EXPECT_TRUE(config.tied && config.qkv_bias && config.attention_out_bias && config.ffn_bias);
  EXPECT_TRUE(config.ropes.empty());
  EXPECT_EQ(config.layers[3].rope, -1);
  EXPECT_EQ(config.layers[3].attention_scale, 0.125);
  EXPECT_EQ(Parsed({{"model_type", "gpt2"}, {"n_inner", 5000}}).intermediate, 5000);
  EXPECT_EQ(
      Parsed({{"model_type", "gpt2"}, {"scale_attn_weights", false}}).layers[0].attention_scale, 1);
  const DecoderConfig by_layer =
      Parsed({{"model_type", "gpt2"}, {"scale_attn_by_inverse_layer_idx", true}});
  EXPECT_EQ(by_layer.layers[0].attention_scale, 0.125);
  EXPECT_EQ(by_layer.layers[4].attention_scale, 0.125 / 5);
  // Each such layer is a kernel of its own. Other families' classes know no such flag.
  json deep = {{"n_layer", 65}, {"scale_attn_by_inverse_layer_idx", true}};
  deep["model_type"] = "gpt2";
  EXPECT_THAT(ErrorOf(deep),
              HasSubstr("scale_attn_by_inverse_layer_idx is true with more than 64"));
  deep["model_type"] = "llama";
  EXPECT_EQ(Parsed(deep).layers[4].attention_scale, Parsed(deep).layers[0].attention_scale);
}

TEST(HfConfig, WindowsOfEachFamily) {
  const auto windows = [](json config) {
    config["num_hidden_layers"] = 4;
    return Windows(Parsed(config));
  };
  EXPECT_EQ(windows({{"model_type", "llama"}, {"sliding_window", 9}}), "ffff");
  // Absent is 4096, null is none.
  EXPECT_EQ(windows({{"model_type", "mistral"}}), "ssss");
  EXPECT_EQ(windows({{"model_type", "mistral"}, {"sliding_window", nullptr}}), "ffff");
  EXPECT_EQ(windows({{"model_type", "phi3"}}), "ffff");
  EXPECT_EQ(windows({{"model_type", "phi3"}, {"sliding_window", 2047}}), "ssss");
  EXPECT_EQ(windows({{"model_type", "qwen2"}, {"sliding_window", 9}}), "ffff");
  EXPECT_EQ(windows({{"model_type", "qwen2"},
                     {"sliding_window", 9},
                     {"use_sliding_window", true},
                     {"max_window_layers", 3}}),
            "fffs");
  EXPECT_EQ(windows({{"model_type", "gemma2"}}), "sfsf");
  EXPECT_EQ(windows({{"model_type", "gemma3"}, {"sliding_window_pattern", 3}}), "ssfs");
  EXPECT_EQ(
      windows({{"model_type", "gemma3"},
               {"layer_types",
                {"full_attention", "sliding_attention", "full_attention", "full_attention"}}}),
      "fsff");
}

TEST(HfConfig, DefaultsDependOnAbsentOrNull) {
  EXPECT_EQ(Parsed({{"model_type", "mistral"}}).kv_heads, 8);
  EXPECT_EQ(Parsed({{"model_type", "mistral"}, {"num_key_value_heads", nullptr}}).kv_heads, 32);
  EXPECT_EQ(Parsed({{"model_type", "qwen3"}}).head_dim, 128);
  EXPECT_EQ(
      Parsed({{"model_type", "qwen3"}, {"hidden_size", 2048}, {"head_dim", nullptr}}).head_dim, 64);
  EXPECT_EQ(Parsed({{"model_type", "gemma2"}}).attention_softcap, 50);
  EXPECT_EQ(Parsed({{"model_type", "gemma2"}}).final_softcap, 30);
  EXPECT_EQ(Parsed({{"model_type", "gemma2"}, {"final_logit_softcapping", nullptr}}).final_softcap,
            0);
  EXPECT_FALSE(Parsed({{"model_type", "llama"}}).tied);
  EXPECT_TRUE(Parsed({{"model_type", "gemma2"}}).tied);
}

TEST(HfConfig, BiasesAndActivations) {
  DecoderConfig config = Parsed({{"model_type", "llama"}, {"attention_bias", true}});
  EXPECT_TRUE(config.qkv_bias && config.attention_out_bias && !config.ffn_bias);
  config = Parsed({{"model_type", "llama"}, {"mlp_bias", true}});
  EXPECT_TRUE(!config.qkv_bias && !config.attention_out_bias && config.ffn_bias);
  config = Parsed({{"model_type", "qwen2"}});
  EXPECT_TRUE(config.qkv_bias && !config.attention_out_bias && !config.ffn_bias);
  const auto activation = [](const char* name) {
    return Parsed({{"model_type", "llama"}, {"hidden_act", name}}).activation;
  };
  EXPECT_EQ(activation("silu"), "silu");
  EXPECT_EQ(activation("swish"), "silu");
  EXPECT_EQ(activation("gelu"), "gelu");
  EXPECT_EQ(activation("gelu_new"), "gelu_tanh");
  EXPECT_EQ(activation("gelu_pytorch_tanh"), "gelu_tanh");
  EXPECT_THAT(ErrorOf({{"model_type", "llama"}, {"hidden_act", "relu2"}}),
              HasSubstr("hidden_act is 'relu2', which is not supported"));
}

TEST(HfConfig, ErrorsNameTheField) {
  const auto error = [](const char* key, const json& value) {
    return ErrorOf({{"model_type", "llama"}, {key, value}});
  };
  EXPECT_THAT(ErrorOf(json::object()),
              AllOf(HasSubstr("config.json: model_type is missing"), HasSubstr("qwen2, qwen3")));
  EXPECT_THAT(ErrorOf({{"model_type", 3}}), HasSubstr("model_type is a number"));
  EXPECT_THAT(error("num_hidden_layers", 1001), HasSubstr("num_hidden_layers is 1001"));
  EXPECT_THAT(error("num_hidden_layers", -1), HasSubstr("num_hidden_layers is -1"));
  EXPECT_THAT(error("hidden_size", int64_t{1} << 40), HasSubstr("hidden_size is 1099511627776"));
  EXPECT_THAT(error("hidden_size", "4096"), HasSubstr("hidden_size is a string"));
  EXPECT_THAT(error("num_attention_heads", 7),
              HasSubstr("num_attention_heads is 7, which does not divide hidden_size = 4096"));
  EXPECT_THAT(
      error("num_key_value_heads", 5),
      HasSubstr("num_key_value_heads is 5, which does not divide num_attention_heads = 32"));
  EXPECT_THAT(error("head_dim", 7), HasSubstr("head_dim is 7"));
  EXPECT_THAT(error("head_dim", 1025), HasSubstr("head_dim is 1025"));
  EXPECT_THAT(error("hidden_size", 1 << 22), HasSubstr("a head has 131072 columns, above 1024"));
  EXPECT_THAT(error("num_attention_heads", 1025), HasSubstr("num_attention_heads is 1025"));
  EXPECT_THAT(error("num_key_value_heads", 1025), HasSubstr("num_key_value_heads is 1025"));
  EXPECT_THAT(error("rms_norm_eps", "small"), HasSubstr("rms_norm_eps is a string"));
  EXPECT_THAT(error("vocab_size", 0), HasSubstr("vocab_size is 0"));
  EXPECT_THAT(error("layer_types", json::array({"full_attention"})),
              HasSubstr("layer_types lists 1 layers, but num_hidden_layers is 32"));
  EXPECT_THAT(error("layer_types", json(std::vector<std::string>(32, "chunked_attention"))),
              HasSubstr("layer_types holds 'chunked_attention', which is not supported"));
  EXPECT_THAT(error("layer_types", json(std::vector<std::string>(32, "sliding_attention"))),
              HasSubstr("sliding_window is not set, but layer 0"));
  EXPECT_THAT(error("quantization_config", {{"quant_method", "gptq"}}),
              HasSubstr("the weights are quantised (gptq), which is not supported"));
  EXPECT_THAT(error("use_bidirectional_attention", true), HasSubstr("is not supported"));
  EXPECT_THAT(error("text_config", 1), HasSubstr("text_config is a number"));
}

}  // namespace
}  // namespace weft
