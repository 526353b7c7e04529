#include "frontends/model_test_util.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "frontends/dequantize.h"
#include "frontends/safetensors.h"
#include "ir/evaluator.h"

namespace weft {
namespace {

TensorFiles OpenFile(const std::string& path) {
  auto file = MappedFile::Open(path);
  EXPECT_TRUE(file.ok()) << file.status();
  auto entries = ParseSafetensorsHeader((*file)->bytes(), path, 0);
  EXPECT_TRUE(entries.ok()) << entries.status();
  auto files = TensorFiles::Create({*file}, *std::move(entries));
  EXPECT_TRUE(files.ok()) << files.status();
  return *std::move(files);
}

std::vector<float> Floats(const TensorFiles& files, const TensorEntry& entry) {
  std::vector<float> values(entry.bytes / GetInfo(entry.type).block_bytes);
  Dequantize(entry.type, files.Bytes(entry).data(), static_cast<int64_t>(values.size()),
             values.data());
  return values;
}

float MaxAbs(const std::vector<float>& values) {
  float max = 0;
  for (float value : values) max = std::max(max, std::fabs(value));
  return max;
}

void ExpectClose(const std::vector<float>& found, const std::vector<float>& expected,
                 float tolerance, const std::string& what) {
  ASSERT_EQ(found.size(), expected.size()) << what;
  float worst = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    const float difference = std::fabs(found[i] - expected[i]);
    worst = difference <= worst ? worst : difference;  // also where it is NaN
  }
  EXPECT_LE(worst, tolerance) << what;
}

// Rows of each head of q or k in the order of llama.cpp's converter: pairs (i, i + dim/2) become
// neighbours.
void Permute(int64_t heads, TestTensor* tensor) {
  const int64_t rows = tensor->dims[0];
  const int64_t width = static_cast<int64_t>(tensor->values.size()) / rows;
  const int64_t dim = rows / heads;
  const std::vector<float> old = tensor->values;
  for (int64_t head = 0; head < heads; ++head) {
    for (int64_t i = 0; i < dim; ++i) {
      const int64_t from = head * dim + (i % 2) * (dim / 2) + i / 2;
      const int64_t to = head * dim + i;
      std::copy_n(old.begin() + from * width, width, tensor->values.begin() + to * width);
    }
  }
}

void Transpose(TestTensor* tensor) {
  const int64_t rows = tensor->dims[0];
  const int64_t columns = tensor->dims[1];
  const std::vector<float> old = tensor->values;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) tensor->values[c * rows + r] = old[r * columns + c];
  }
  std::swap(tensor->dims[0], tensor->dims[1]);
}

// Names by https://github.com/ggml-org/llama.cpp/blob/master/gguf-py/gguf/tensor_mapping.py.
std::string GgufName(const std::string& name, bool sandwich) {
  std::string result = absl::StrReplaceAll(name, {{"model.layers.", "blk."},
                                                  {"transformer.h.", "blk."},
                                                  {"self_attn.q_proj", "attn_q"},
                                                  {"self_attn.k_proj", "attn_k"},
                                                  {"self_attn.v_proj", "attn_v"},
                                                  {"self_attn.o_proj", "attn_output"},
                                                  {"self_attn.qkv_proj", "attn_qkv"},
                                                  {"self_attn.q_norm", "attn_q_norm"},
                                                  {"self_attn.k_norm", "attn_k_norm"},
                                                  {"mlp.gate_up_proj", "ffn_up"},
                                                  {"mlp.gate_proj", "ffn_gate"},
                                                  {"mlp.up_proj", "ffn_up"},
                                                  {"mlp.down_proj", "ffn_down"},
                                                  {"input_layernorm", "attn_norm"},
                                                  {"pre_feedforward_layernorm", "ffn_norm"},
                                                  {"post_feedforward_layernorm", "post_ffw_norm"},
                                                  {"attn.c_attn", "attn_qkv"},
                                                  {"attn.c_proj", "attn_output"},
                                                  {"mlp.c_fc", "ffn_up"},
                                                  {"mlp.c_proj", "ffn_down"},
                                                  {"ln_1", "attn_norm"},
                                                  {"ln_2", "ffn_norm"},
                                                  {"model.embed_tokens", "token_embd"},
                                                  {"transformer.wte", "token_embd"},
                                                  {"transformer.wpe", "position_embd"},
                                                  {"transformer.ln_f", "output_norm"},
                                                  {"model.norm", "output_norm"},
                                                  {"lm_head", "output"}});
  return absl::StrReplaceAll(
      result, {{"post_attention_layernorm", sandwich ? "post_attention_norm" : "ffn_norm"}});
}

template <typename T>
void Put(T value, std::string* bytes) {
  bytes->append(reinterpret_cast<const char*>(&value), sizeof(T));
}

void PutText(const std::string& text, std::string* bytes) {
  Put<uint64_t>(text.size(), bytes);
  bytes->append(text);
}

}  // namespace

std::string TinyFolder(const std::string& name) { return "tests/oracle/tiny/" + name; }

Golden LoadGolden(const std::string& tiny_name) {
  const TensorFiles files = OpenFile(TinyFolder(tiny_name) + "/golden.safetensors");
  Golden golden;
  const TensorEntry& ids = *files.Find("input_ids");
  for (int64_t i = 0; i < ids.dims[0]; ++i) {
    int64_t id = 0;
    std::memcpy(&id, files.Bytes(ids).data() + i * sizeof(id), sizeof(id));
    golden.ids.push_back(static_cast<int32_t>(id));
  }
  golden.logits = Floats(files, *files.Find("logits"));
  golden.vocab = files.Find("logits")->dims[1];
  const TensorEntry& states = *files.Find("hidden_states");
  golden.hidden = states.dims[2];
  const std::vector<float> all = Floats(files, states);
  const int64_t size = states.dims[1] * states.dims[2];
  for (int64_t i = 0; i < states.dims[0]; ++i)
    golden.hidden_states.emplace_back(all.begin() + i * size, all.begin() + (i + 1) * size);
  return golden;
}

void ExpectGolden(const Model& model, const Golden& golden) {
  // The goldens are F32 results, off by 7e-6 from F64 on logits of standard deviation 0.5; the
  // evaluator's sums are in F64.
  constexpr float kTolerance = 3e-5F;
  ASSERT_EQ(model.hidden_locations.size(), golden.hidden_states.size());
  std::map<std::string, std::vector<float>> states;
  for (const std::string& location : model.hidden_locations) states[location];
  ASSERT_EQ(states.size(), golden.hidden_states.size()) << "locations are not distinct";
  ir::EvaluateOptions options;
  options.observer = [&](const ir::Node& node, const ir::Value& value) {
    const auto found = states.find(node.location);
    if (found == states.end()) return;
    EXPECT_TRUE(found->second.empty()) << node.location << " is not the location of one node only";
    found->second = value.floats;
  };
  const auto outputs = ir::Evaluate(model.module, *model.weights, golden.ids, options);
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  ASSERT_EQ(outputs->size(), 2U);
  ExpectClose((*outputs)[0].floats, golden.logits, kTolerance, "logits");
  for (size_t i = 0; i < golden.ids.size(); ++i) {
    const auto row = golden.logits.begin() + static_cast<int64_t>(i) * golden.vocab;
    EXPECT_EQ((*outputs)[1].ints[i], std::max_element(row, row + golden.vocab) - row) << i;
  }
  // Roundings grow with the values (residual streams here reach 30): 1e-5 is 84 units of F32's last
  // place, for the sums of some ten operations on each layer.
  constexpr float kRelativeTolerance = 1e-5F;
  for (size_t i = 0; i < golden.hidden_states.size(); ++i) {
    const std::vector<float>& expected = golden.hidden_states[i];
    ExpectClose(states[model.hidden_locations[i]], expected,
                kRelativeTolerance * std::max(1.0F, MaxAbs(expected)),
                "hidden state " + model.hidden_locations[i]);
  }
}

TempFolder::TempFolder() {
  std::string pattern = testing::TempDir() + "weft_frontends_XXXXXX";
  path_ = mkdtemp(pattern.data());
}

TempFolder::~TempFolder() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
}

void TempFolder::Write(const std::string& name, const std::string& text) const {
  // A new file each time: ext4 sends one that was cut to nothing to the disk when it is closed.
  std::filesystem::remove(File(name));
  std::ofstream(File(name), std::ios::binary) << text;
}

void TempFolder::LinkWeights(const std::string& tiny_name) const {
  std::filesystem::create_symlink(
      std::filesystem::absolute(TinyFolder(tiny_name) + "/model.safetensors"),
      File("model.safetensors"));
}

std::string TextOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

nlohmann::json TinyConfig(const std::string& tiny_name) {
  return nlohmann::json::parse(TextOf(TinyFolder(tiny_name) + "/config.json"));
}

std::vector<TestTensor> TinyTensors(const std::string& tiny_name) {
  const TensorFiles files = OpenFile(TinyFolder(tiny_name) + "/model.safetensors");
  std::vector<TestTensor> tensors;
  for (const TensorEntry& entry : files.tensors())
    tensors.push_back({entry.name, entry.dims, Floats(files, entry)});
  return tensors;
}

std::string& GgufWriter::Key(const std::string& key, GgufType type) {
  std::string& bytes = keys_[key];
  bytes.clear();
  Put(static_cast<uint32_t>(type), &bytes);
  return bytes;
}

std::string& GgufWriter::Array(const std::string& key, GgufType element, size_t count) {
  std::string& bytes = Key(key, GgufType::kArray);
  Put(static_cast<uint32_t>(element), &bytes);
  Put<uint64_t>(count, &bytes);
  return bytes;
}

GgufWriter& GgufWriter::Text(const std::string& key, const std::string& value) {
  PutText(value, &Key(key, GgufType::kString));
  return *this;
}

GgufWriter& GgufWriter::Number(const std::string& key, uint32_t value) {
  Put(value, &Key(key, GgufType::kU32));
  return *this;
}

GgufWriter& GgufWriter::Float(const std::string& key, float value) {
  Put(value, &Key(key, GgufType::kF32));
  return *this;
}

GgufWriter& GgufWriter::Flag(const std::string& key, bool value) {
  Put(value, &Key(key, GgufType::kBool));
  return *this;
}

GgufWriter& GgufWriter::Texts(const std::string& key, const std::vector<std::string>& values) {
  std::string& bytes = Array(key, GgufType::kString, values.size());
  for (const std::string& value : values) PutText(value, &bytes);
  return *this;
}

GgufWriter& GgufWriter::Numbers(const std::string& key, const std::vector<int32_t>& values) {
  std::string& bytes = Array(key, GgufType::kI32, values.size());
  for (int32_t value : values) Put(value, &bytes);
  return *this;
}

GgufWriter& GgufWriter::Floats(const std::string& key, const std::vector<float>& values) {
  std::string& bytes = Array(key, GgufType::kF32, values.size());
  for (float value : values) Put(value, &bytes);
  return *this;
}

GgufWriter& GgufWriter::Flags(const std::string& key, const std::vector<bool>& values) {
  std::string& bytes = Array(key, GgufType::kBool, values.size());
  for (bool value : values) Put<uint8_t>(value ? 1 : 0, &bytes);
  return *this;
}

GgufWriter& GgufWriter::Tensor(TestTensor tensor) {
  Remove(tensor.name);
  tensors_.push_back(std::move(tensor));
  return *this;
}

GgufWriter& GgufWriter::Remove(const std::string& name) {
  keys_.erase(name);
  std::erase_if(tensors_, [&](const TestTensor& tensor) { return tensor.name == name; });
  return *this;
}

std::string GgufWriter::Bytes() const {
  std::string bytes = "GGUF";
  Put<uint32_t>(3, &bytes);
  Put<uint64_t>(tensors_.size(), &bytes);
  Put<uint64_t>(keys_.size(), &bytes);
  for (const auto& [key, value] : keys_) {
    PutText(key, &bytes);
    bytes.append(value);
  }
  constexpr size_t kAlignment = 32;  // the format's default
  std::string data;
  for (const TestTensor& tensor : tensors_) {
    data.resize((data.size() + kAlignment - 1) / kAlignment * kAlignment);
    PutText(tensor.name, &bytes);
    Put(static_cast<uint32_t>(tensor.dims.size()), &bytes);
    for (size_t i = tensor.dims.size(); i-- > 0;)
      Put(static_cast<uint64_t>(tensor.dims[i]), &bytes);
    Put<uint32_t>(0, &bytes);  // F32
    Put<uint64_t>(data.size(), &bytes);
    data.append(reinterpret_cast<const char*>(tensor.values.data()),
                tensor.values.size() * sizeof(float));
  }
  bytes.resize((bytes.size() + kAlignment - 1) / kAlignment * kAlignment);
  return bytes + data;
}

GgufWriter TinyGguf(const std::string& tiny_name, const std::string& architecture) {
  const nlohmann::json config = TinyConfig(tiny_name);
  const bool gpt2 = architecture == "gpt2";
  const bool gemma = absl::StartsWith(architecture, "gemma");
  const auto number = [&](const char* key) { return config[key].get<uint32_t>(); };
  const uint32_t hidden = number(gpt2 ? "n_embd" : "hidden_size");
  const uint32_t heads = number(gpt2 ? "n_head" : "num_attention_heads");
  const uint32_t kv_heads = gpt2 ? heads : number("num_key_value_heads");
  const std::string prefix = architecture + ".";

  GgufWriter writer;
  writer.Text("general.architecture", architecture)
      .Number(prefix + "block_count", number(gpt2 ? "n_layer" : "num_hidden_layers"))
      .Number(prefix + "context_length", number(gpt2 ? "n_positions" : "max_position_embeddings"))
      .Number(prefix + "embedding_length", hidden)
      .Number(prefix + "feed_forward_length", gpt2 ? 4 * hidden : number("intermediate_size"))
      .Number(prefix + "attention.head_count", heads);
  if (gpt2) {
    writer.Float(prefix + "attention.layer_norm_epsilon", config["layer_norm_epsilon"]);
  } else {
    writer.Number(prefix + "attention.head_count_kv", kv_heads);
    writer.Float(prefix + "attention.layer_norm_rms_epsilon", config["rms_norm_eps"]);
    const nlohmann::json& rope = config["rope_parameters"];
    writer.Float(prefix + "rope.freq_base", rope.contains("full_attention")
                                                ? rope["full_attention"]["rope_theta"]
                                                : rope["rope_theta"]);
    if (config.contains("head_dim")) {
      writer.Number(prefix + "attention.key_length", number("head_dim"));
      writer.Number(prefix + "attention.value_length", number("head_dim"));
    }
    if (config.contains("sliding_window") && config["sliding_window"].is_number())
      writer.Number(prefix + "attention.sliding_window", number("sliding_window"));
  }
  for (TestTensor& tensor : TinyTensors(tiny_name)) {
    const bool q = absl::StrContains(tensor.name, "q_proj");
    const bool k = absl::StrContains(tensor.name, "k_proj");
    if (architecture == "llama" && (q || k)) Permute(q ? heads : kv_heads, &tensor);
    if (gpt2 && absl::StrContains(tensor.name, ".c_") && tensor.dims.size() == 2)
      Transpose(&tensor);
    if (gemma && absl::StrContains(tensor.name, "norm")) {
      for (float& value : tensor.values) value += 1;
    }
    tensor.name = GgufName(tensor.name, gemma);
    writer.Tensor(std::move(tensor));
  }
  return writer;
}

}  // namespace weft
