#include "frontends/graph_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>

#include "absl/strings/match.h"
#include "frontends/model_test_util.h"
#include "frontends/safetensors_writer.h"
#include "ir/text.h"

namespace weft {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;

// The lines of a model's text by the locations of their nodes.
std::map<std::string, std::string> Lines(const std::string& path) {
  const auto model = LoadModel(path, {.tokenizer = false});
  EXPECT_TRUE(model.ok()) << model.status();
  std::map<std::string, std::string> lines;
  if (!model.ok()) return lines;
  for (ir::NodeId id : model->module.order()) {
    const std::string& location = model->module.node(id).location;
    EXPECT_EQ(lines.count(location), 0U) << location;
    lines[location] = ir::PrintNode(model->module, id);
  }
  return lines;
}

// A tiny model's folder, with tensors changed.
class Changed {
 public:
  Changed(const std::string& tiny_name,
          const std::function<void(std::vector<TestTensor>*)>& change) {
    folder_.Write("config.json", TinyConfig(tiny_name).dump());
    std::vector<TestTensor> tensors = TinyTensors(tiny_name);
    change(&tensors);
    std::vector<SafetensorsTensor> list;
    for (const TestTensor& tensor : tensors) {
      list.push_back({tensor.name,
                      DataType::kF32,
                      tensor.dims,
                      {reinterpret_cast<const uint8_t*>(tensor.values.data()),
                       tensor.values.size() * sizeof(float)}});
    }
    EXPECT_TRUE(WriteSafetensors(folder_.File("model.safetensors"), list).ok());
  }
  const std::string& path() const { return folder_.path(); }
  std::string Error() const {
    return std::string(LoadModel(path(), {.tokenizer = false}).status().message());
  }

 private:
  TempFolder folder_;
};

TEST(GraphBuilder, LocationsAreThoseOfTheModules) {
  const auto lines = Lines(TinyFolder("gemma3"));
  std::set<std::string> locations;
  for (const auto& [location, line] : lines) locations.insert(location);
  EXPECT_THAT(
      locations,
      IsSupersetOf({"model.embed_tokens", "model.rotary_emb", "model.rotary_emb_local",
                    "model.layers.3.input_layernorm", "model.layers.3.self_attn.q_proj",
                    "model.layers.3.self_attn.q_norm", "model.layers.3.self_attn.o_proj",
                    "model.layers.3.post_attention_layernorm",
                    "model.layers.3.pre_feedforward_layernorm", "model.layers.3.mlp.act_fn",
                    "model.layers.3.mlp.down_proj", "model.layers.3.post_feedforward_layernorm",
                    "model.layers.3", "model.norm", "lm_head"}));
  EXPECT_THAT(lines.at("model.embed_tokens"), HasSubstr("scale"));
  EXPECT_THAT(lines.at("model.layers.3"), HasSubstr("add"));
  EXPECT_THAT(lines.at("model.layers.3.self_attn"), HasSubstr("window=9"));
  EXPECT_THAT(lines.at("model.layers.5.self_attn"), Not(HasSubstr("window")));
  EXPECT_THAT(lines.at("model.layers.3.input_layernorm"), HasSubstr("offset=1.0"));
}

TEST(GraphBuilder, FusedTensorsAreCutIntoProjections) {
  const auto gpt2 = Lines(TinyFolder("gpt2"));  // hidden 80
  EXPECT_THAT(
      gpt2.at("transformer.h.1.attn.c_attn.k.weight"),
      AllOf(HasSubstr("tensor=\"transformer.h.1.attn.c_attn.weight\""), HasSubstr("rows=[80, 160]"),
            HasSubstr("transposed=true"), HasSubstr("f32[80,80]")));
  EXPECT_THAT(gpt2.at("transformer.h.1.attn.c_attn.v.bias"),
              AllOf(HasSubstr("rows=[160, 240]"), HasSubstr("f32[80]")));
  EXPECT_THAT(gpt2.at("transformer.h.1.attn.c_attn.q"), HasSubstr("matmul"));
  EXPECT_THAT(gpt2.at("transformer.h.1.attn.c_attn.q+bias"), HasSubstr("add"));
  const auto phi3 = Lines(TinyFolder("phi3"));  // 4 heads of 16, 2 of them cached
  EXPECT_THAT(phi3.at("model.layers.0.self_attn.qkv_proj.v.weight"), HasSubstr("rows=[96, 128]"));
  EXPECT_THAT(phi3.at("model.layers.0.mlp.gate_up_proj.gate.weight"), HasSubstr("rows=[0, 160]"));
  EXPECT_THAT(phi3.at("model.layers.0.mlp.gate_up_proj.up.weight"), HasSubstr("rows=[160, 320]"));
}

TEST(GraphBuilder, TiedOutputIsTheEmbeddingsNode) {
  const auto tied = Lines(TinyFolder("qwen2"));
  EXPECT_EQ(tied.count("lm_head.weight"), 0U);
  const auto untied = Lines(TinyFolder("llama-gqa"));
  EXPECT_EQ(untied.count("lm_head.weight"), 1U);
}

TEST(GraphBuilder, LogitsAreOfTheLastRowsOnly) {
  const auto model = LoadModel(TinyFolder("qwen2"), {.tokenizer = false});
  ASSERT_TRUE(model.ok()) << model.status();
  ASSERT_EQ(model->module.outputs.size(), 2U);
  EXPECT_EQ(ir::ToString(model->module.node(model->module.outputs[0]).type), "f32[L,512]");
  EXPECT_EQ(ir::ToString(model->module.node(model->module.outputs[1]).type), "i32[L]");
  EXPECT_THAT(model->hidden_locations,
              ElementsAre("model.embed_tokens", "model.layers.0", "model.layers.1", "model.norm"));
}

// openai-community/gpt2 holds the names of the bare model, and masks that are no parameters.
TEST(GraphBuilder, Gpt2FilesWithoutPrefix) {
  const Changed changed("gpt2", [](std::vector<TestTensor>* tensors) {
    for (TestTensor& tensor : *tensors) tensor.name = tensor.name.substr(strlen("transformer."));
    tensors->push_back({"h.0.attn.bias", {1, 1, 128, 128}, std::vector<float>(128 * 128)});
    tensors->push_back({"h.0.attn.masked_bias", {}, {-1e4F}});
  });
  const auto model = LoadModel(changed.path(), {.tokenizer = false});
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_THAT(model->hidden_locations, ElementsAre("transformer.wte+wpe", "transformer.h.0",
                                                   "transformer.h.1", "transformer.ln_f"));
  EXPECT_THAT(model->unused_tensors,
              testing::UnorderedElementsAre("h.0.attn.bias", "h.0.attn.masked_bias"));
  ExpectGolden(*model, LoadGolden("gpt2"));
}

TEST(GraphBuilder, MissingTensorsAreNamed) {
  for (const std::string name :
       {"model.embed_tokens.weight", "model.layers.1.self_attn.q_proj.weight",
        "model.layers.1.self_attn.k_proj.bias", "model.layers.2.mlp.down_proj.weight",
        "model.layers.0.post_attention_layernorm.weight", "model.norm.weight"}) {
    const Changed changed("qwen2", [&](std::vector<TestTensor>* tensors) {
      std::erase_if(*tensors, [&](const TestTensor& tensor) { return tensor.name == name; });
    });
    EXPECT_THAT(changed.Error(),
                AllOf(HasSubstr("model.safetensors: tensor '" + name), HasSubstr("is missing")));
  }
}

TEST(GraphBuilder, ShapesThatDoNotFitTheConfigAreNamed) {
  const auto error = [](const char* key, int64_t value) {
    const TempFolder folder;
    folder.LinkWeights("llama-gqa");
    nlohmann::json config = TinyConfig("llama-gqa");
    config[key] = value;
    folder.Write("config.json", config.dump());
    return std::string(LoadModel(folder.path()).status().message());
  };
  EXPECT_THAT(
      error("vocab_size", 500),
      AllOf(HasSubstr("tensor 'model.embed_tokens.weight' is [512, 96], expected [500, 96]"),
            HasSubstr("vocab_size = 500")));
  EXPECT_THAT(error("intermediate_size", 192),
              AllOf(HasSubstr("mlp.gate_proj.weight' is [224, 96], expected [192, 96]"),
                    HasSubstr("intermediate_size = 192")));
  EXPECT_THAT(error("num_key_value_heads", 3),
              AllOf(HasSubstr("k_proj.weight' is [32, 96], expected [48, 96]"),
                    HasSubstr("num_key_value_heads = 3 · head_dim = 16")));
  EXPECT_THAT(error("num_hidden_layers", 9), HasSubstr("model.layers.3.input_layernorm.weight'"));
  EXPECT_THAT(error("hidden_size", int64_t{1} << 24), HasSubstr("hidden_size = 16777216"));
}

// A file that is all hole: what is read of it would show as resident memory, and what is written
// over the graph's building as time.
TEST(GraphBuilder, ReadsNoWeights) {
  const TempFolder folder;
  nlohmann::json config = TinyConfig("qwen2");
  constexpr int64_t kVocab = 1 << 22;  // 1 GiB of embedding
  config["vocab_size"] = kVocab;
  folder.Write("config.json", config.dump());
  std::string small = TextOf(TinyFolder("qwen2") + "/model.safetensors");
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, small.data(), sizeof(header_bytes));
  nlohmann::json header = nlohmann::json::parse(small.substr(8, header_bytes));
  header.erase("__metadata__");
  uint64_t offset = 0;
  for (auto& [name, tensor] : header.items()) {
    if (name == "model.embed_tokens.weight") tensor["shape"][0] = kVocab;
    uint64_t bytes = sizeof(float);
    for (const nlohmann::json& dim : tensor["shape"]) bytes *= dim.get<uint64_t>();
    tensor["data_offsets"] = {offset, offset + bytes};
    offset += bytes;
  }
  const std::string text = header.dump();
  header_bytes = text.size();
  folder.Write("model.safetensors",
               std::string(reinterpret_cast<const char*>(&header_bytes), 8) + text);
  std::filesystem::resize_file(folder.File("model.safetensors"), 8 + text.size() + offset);
  const auto model = LoadModel(folder.path(), {.tokenizer = false});
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_GT(model->parameters, kVocab * 64);
  // The pages of the mapped file that are in memory.
  const std::string maps = TextOf("/proc/self/smaps");
  const size_t at = maps.find(folder.File("model.safetensors"));
  ASSERT_NE(at, std::string::npos);
  const size_t rss = maps.find("Rss:", at);
  EXPECT_LT(std::stol(maps.substr(rss + 4)), 4096) << "kB";
}

}  // namespace
}  // namespace weft
