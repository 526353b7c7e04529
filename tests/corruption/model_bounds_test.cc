// Memory and time of what is made of files: the graph of a model, in proportion to its files and
// not to the numbers in them, and a plan that is opened.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "absl/strings/str_cat.h"
#include "frontends/decoder_config.h"
#include "frontends/model.h"
#include "frontends/model_test_util.h"
#include "runtime/plan/plan.h"
#include "runtime/plan/program_json.h"
#include "runtime/plan/test_program.h"
#include "tests/corruption/bounds.h"
#include "tests/corruption/heap_peak.h"
#include "tests/corruption/plan_map.h"

namespace weft::corruption {
namespace {

TestTensor Zeros(const std::string& name, std::vector<int64_t> dims) {
  size_t values = 1;
  for (const int64_t dim : dims) values *= static_cast<size_t>(dim);
  return {name, std::move(dims), std::vector<float>(values)};
}

constexpr int64_t kDim = 4;

// A Llama of one head.
std::string GgufOfLayers(size_t n) {
  GgufWriter writer;
  writer.Text("general.architecture", "llama")
      .Number("llama.block_count", static_cast<uint32_t>(n))
      .Number("llama.context_length", kMaxPositions)
      .Number("llama.embedding_length", kDim)
      .Number("llama.feed_forward_length", kDim)
      .Number("llama.attention.head_count", 1)
      .Float("llama.attention.layer_norm_rms_epsilon", 1e-5F)
      .Tensor(Zeros("token_embd.weight", {kDim, kDim}))
      .Tensor(Zeros("output_norm.weight", {kDim}));
  for (size_t layer = 0; layer < n; ++layer) {
    const std::string block = absl::StrCat("blk.", layer, ".");
    for (const char* norm : {"attn_norm", "ffn_norm"})
      writer.Tensor(Zeros(absl::StrCat(block, norm, ".weight"), {kDim}));
    for (const char* matrix :
         {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"})
      writer.Tensor(Zeros(absl::StrCat(block, matrix, ".weight"), {kDim, kDim}));
  }
  return writer.Bytes();
}

TEST(ModelBounds, LayersOfAGgufFile) {
  const TempFolder folder;
  CheckBounds(
      "LoadModel: layers of a GGUF file", GgufOfLayers,
      [&](const std::string& file) {
        folder.Write("m.gguf", file);
        return LoadModel(folder.File("m.gguf")).status();
      },
      kMaxLayers / 4);
}

// Tensors without data behind the header, which LoadModel does not read.
class Safetensors {
 public:
  void Add(const std::string& name, const std::vector<int64_t>& dims) {
    int64_t bytes = 4;
    std::string shape;
    for (const int64_t dim : dims) {
      bytes *= dim;
      absl::StrAppend(&shape, shape.empty() ? "" : ",", dim);
    }
    absl::StrAppend(&header_, header_.empty() ? "{" : ",", "\"", name,
                    "\":{\"dtype\":\"F32\",\"shape\":[", shape, "],\"data_offsets\":[", size_, ",",
                    size_ + bytes, "]}");
    size_ += bytes;
  }
  // Of a layer of Llama; `heads` are as wide as they may be together.
  void AddLayer(int64_t layer, int64_t heads) {
    const std::string block = absl::StrCat("model.layers.", layer, ".");
    Add(block + "input_layernorm.weight", {kDim});
    Add(block + "post_attention_layernorm.weight", {kDim});
    for (const char* matrix : {"q", "k", "v"})
      Add(absl::StrCat(block, "self_attn.", matrix, "_proj.weight"), {heads, kDim});
    Add(block + "self_attn.o_proj.weight", {kDim, heads});
    for (const char* matrix : {"gate", "up", "down"})
      Add(absl::StrCat(block, "mlp.", matrix, "_proj.weight"), {kDim, kDim});
  }
  std::string Header() const {
    const std::string text = header_ + "}";
    const uint64_t size = text.size();
    return std::string(reinterpret_cast<const char*>(&size), sizeof size) + text;
  }
  // With a hole in the place of the data.
  void Write(const std::string& path, const std::string& header) const {
    std::ofstream(path, std::ios::binary) << header;
    std::filesystem::resize_file(path, header.size() + static_cast<uint64_t>(size_));
  }

 private:
  std::string header_;
  int64_t size_ = 0;
};

std::string Config(int64_t layers, int64_t heads, int64_t head_dim) {
  return absl::StrCat(R"({"model_type": "llama", "tie_word_embeddings": true, "vocab_size": 4,
      "hidden_size": 4, "intermediate_size": 4, "rope_theta": 1e12, "max_position_embeddings": )",
                      kMaxPositions, ", \"num_hidden_layers\": ", layers,
                      ", \"num_attention_heads\": ", heads, ", \"head_dim\": ", head_dim, "}");
}

TEST(ModelBounds, LayersOfAFolder) {
  const TempFolder folder;
  std::map<std::string, std::pair<int64_t, Safetensors>> made;  // by header
  CheckBounds(
      "LoadModel: layers of a folder",
      [&](size_t n) {
        Safetensors tensors;
        tensors.Add("model.embed_tokens.weight", {kDim, kDim});
        tensors.Add("model.norm.weight", {kDim});
        const auto layers = static_cast<int64_t>(n);
        for (int64_t layer = 0; layer < layers; ++layer) tensors.AddLayer(layer, kDim);
        made[tensors.Header()] = {layers, tensors};
        return tensors.Header();
      },
      [&](const std::string& header) {
        const auto& [layers, tensors] = made.at(header);
        folder.Write("config.json", Config(layers, 1, kDim));
        std::filesystem::remove(folder.File("model.safetensors"));
        tensors.Write(folder.File("model.safetensors"), header);
        return LoadModel(folder.path()).status();
      },
      kMaxLayers / 4);
}

// The largest heads, and positions, of files of some kilobytes.
TEST(ModelBounds, NumbersOfAConfig) {
  const TempFolder folder;
  constexpr int64_t kWidest = kMaxHeads * kMaxHeadDim;
  Safetensors tensors;
  tensors.Add("model.embed_tokens.weight", {kDim, kDim});
  tensors.Add("model.norm.weight", {kDim});
  tensors.AddLayer(0, kWidest);
  tensors.Write(folder.File("model.safetensors"), tensors.Header());
  const auto load = [&](int64_t layers) {
    folder.Write("config.json", Config(layers, kMaxHeads, kMaxHeadDim));
    return LoadModel(folder.path()).status();
  };
  const size_t one = HeapPeak([&] { EXPECT_TRUE(load(1).ok()) << load(1); });
  EXPECT_LE(one, kConstantBytes);
  // Layers whose tensors are not there.
  const size_t all = HeapPeak([&] { EXPECT_FALSE(load(kMaxLayers).ok()); });
  EXPECT_LE(all, kConstantBytes);
  std::printf("bounds: LoadModel: heads of %ld columns: %zu bytes of heap, of missing layers %zu\n",
              static_cast<long>(kWidest), one, all);
}

TEST(ModelBounds, Plans) {
  const TempFolder folder;
  const auto open = [&](const std::string& file) {
    folder.Write("p.weft", file);
    return Plan::Open(folder.File("p.weft")).status();
  };
  CheckBounds(
      "Plan::Open: steps",
      [](size_t n) {
        Program program = TestProgram();
        const Step step = program.steps.front();
        program.steps.insert(program.steps.end(), n, step);
        std::vector<PlanPart> parts = SmallPlan();
        parts[0].bytes = ProgramToJson(program);
        return WritePlan(parts);
      },
      open, 1'000);
  CheckBounds(
      "Plan::Open: texts of the IR",
      [](size_t n) {
        std::vector<PlanPart> parts = SmallPlan();
        parts[2].bytes = Repeat("x", n);
        return WritePlan(parts);
      },
      open, 1'000'000);
}

}  // namespace
}  // namespace weft::corruption
