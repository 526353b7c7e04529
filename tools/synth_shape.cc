#include "tools/synth_shape.h"

#include <cmath>

#include "absl/strings/str_cat.h"

namespace weft::tools {
namespace {

constexpr int64_t kGemma3Pattern = 6;  // every sixth layer attends to all positions

constexpr SynthShape kShapes[] = {
    {.name = "gpt2",
     .like = "openai-community/gpt2",
     .family = SynthFamily::kGpt2,
     .vocab = 50257,
     .hidden = 768,
     .layers = 12,
     .heads = 12,
     .kv_heads = 12,
     .head_dim = 64,
     .intermediate = 3072,
     .positions = 1024,
     .norm_eps = 1e-5,
     .type = DataType::kF32,
     .bos = 50256,
     .eos = 50256},
    {.name = "smollm2-135m",
     .like = "HuggingFaceTB/SmolLM2-135M",
     .vocab = 49152,
     .hidden = 576,
     .layers = 30,
     .heads = 9,
     .kv_heads = 3,
     .head_dim = 64,
     .intermediate = 1536,
     .positions = 8192,
     .rope_theta = 1e5,
     .norm_eps = 1e-5,
     .bos = 0,
     .eos = 0},
    {.name = "gemma3-270m",
     .like = "google/gemma-3-270m",
     .family = SynthFamily::kGemma3,
     .vocab = 262144,
     .hidden = 640,
     .layers = 18,
     .heads = 4,
     .kv_heads = 1,
     .head_dim = 256,
     .intermediate = 2048,
     .positions = 32768,
     .rope_theta = 1e6,
     .norm_eps = 1e-6,
     .window = 512,
     .bos = 2,
     .eos = 1},
    {.name = "gemma3-1b",
     .like = "google/gemma-3-1b-pt",
     .family = SynthFamily::kGemma3,
     .vocab = 262144,
     .hidden = 1152,
     .layers = 26,
     .heads = 4,
     .kv_heads = 1,
     .head_dim = 256,
     .intermediate = 6912,
     .positions = 32768,
     .rope_theta = 1e6,
     .norm_eps = 1e-6,
     .window = 512,
     .bos = 2,
     .eos = 1},
    {.name = "llama3-8b",
     .like = "meta-llama/Meta-Llama-3-8B",
     .vocab = 128256,
     .hidden = 4096,
     .layers = 32,
     .heads = 32,
     .kv_heads = 8,
     .head_dim = 128,
     .intermediate = 14336,
     .positions = 8192,
     .rope_theta = 5e5,
     .norm_eps = 1e-5,
     .tied = false,
     .bos = 128000,
     .eos = 128001},
    {.name = "tiny",
     .like = "no model; a Gemma 3 of half a megabyte, for tests",
     .family = SynthFamily::kGemma3,
     .vocab = 1024,
     .hidden = 96,
     .layers = 7,
     .heads = 4,
     .kv_heads = 1,
     .head_dim = 32,
     .intermediate = 128,
     .positions = 2048,
     .rope_theta = 1e6,
     .norm_eps = 1e-6,
     .window = 64,
     .bos = 2,
     .eos = 1},
};

// The vector factor of a norm: 1, or 0 where the family adds the 1 itself; with some variation, so
// that a factor that gets lost shows.
constexpr float kNormDeviation = 0.1F;

float Deviation(int64_t in) { return 1 / std::sqrt(static_cast<float>(in)); }

class TensorList {
 public:
  explicit TensorList(const SynthShape& shape)
      : shape_(shape),
        norm_mean_(shape.family == SynthFamily::kGemma3 ? 0.0F : 1.0F),
        residual_(1 / std::sqrt(2 * static_cast<float>(shape.layers))) {}

  std::vector<SynthTensor> Make() {
    shape_.family == SynthFamily::kGpt2 ? AddGpt2() : AddLlamaOrGemma();
    return std::move(tensors_);
  }

 private:
  void Add(const std::string& name, std::vector<int64_t> dims, float mean, float deviation) {
    tensors_.push_back({prefix_ + name, std::move(dims), mean, deviation});
  }
  void Norm(const std::string& name, int64_t size) {
    Add(name + ".weight", {size}, norm_mean_, kNormDeviation);
  }
  void Linear(const std::string& name, int64_t out, int64_t in, float factor = 1) {
    Add(name + ".weight", {out, in}, 0, factor * Deviation(in));
  }

  void AddLlamaOrGemma() {
    const SynthShape& s = shape_;
    const bool gemma = s.family == SynthFamily::kGemma3;
    if (!s.tied) Linear("lm_head", s.vocab, s.hidden);
    Linear("model.embed_tokens", s.vocab, s.hidden);
    for (int64_t layer = 0; layer < s.layers; ++layer) {
      prefix_ = absl::StrCat("model.layers.", layer, ".");
      Norm("input_layernorm", s.hidden);
      Linear("self_attn.q_proj", s.heads * s.head_dim, s.hidden);
      Linear("self_attn.k_proj", s.kv_heads * s.head_dim, s.hidden);
      Linear("self_attn.v_proj", s.kv_heads * s.head_dim, s.hidden);
      Linear("self_attn.o_proj", s.hidden, s.heads * s.head_dim, residual_);
      if (gemma) {
        Norm("self_attn.q_norm", s.head_dim);
        Norm("self_attn.k_norm", s.head_dim);
      }
      Norm("post_attention_layernorm", s.hidden);
      if (gemma) {
        Norm("pre_feedforward_layernorm", s.hidden);
        Norm("post_feedforward_layernorm", s.hidden);
      }
      Linear("mlp.gate_proj", s.intermediate, s.hidden);
      Linear("mlp.up_proj", s.intermediate, s.hidden);
      Linear("mlp.down_proj", s.hidden, s.intermediate, residual_);
      prefix_.clear();
    }
    Norm("model.norm", s.hidden);
  }

  // GPT-2 keeps its projections as [in, out].
  void Conv1d(const std::string& name, int64_t in, int64_t out, float factor = 1) {
    Add(name + ".weight", {in, out}, 0, factor * Deviation(in));
    Add(name + ".bias", {out}, 0, kNormDeviation);
  }
  void LayerNorm(const std::string& name) {
    Norm(name, shape_.hidden);
    Add(name + ".bias", {shape_.hidden}, 0, kNormDeviation);
  }

  void AddGpt2() {
    const SynthShape& s = shape_;
    Linear("wte", s.vocab, s.hidden);
    Linear("wpe", s.positions, s.hidden);
    for (int64_t layer = 0; layer < s.layers; ++layer) {
      prefix_ = absl::StrCat("h.", layer, ".");
      LayerNorm("ln_1");
      Conv1d("attn.c_attn", s.hidden, 3 * s.hidden);
      Conv1d("attn.c_proj", s.hidden, s.hidden, residual_);
      LayerNorm("ln_2");
      Conv1d("mlp.c_fc", s.hidden, s.intermediate);
      Conv1d("mlp.c_proj", s.intermediate, s.hidden, residual_);
      prefix_.clear();
    }
    LayerNorm("ln_f");
  }

  const SynthShape& shape_;
  const float norm_mean_;
  const float residual_;
  std::string prefix_;
  std::vector<SynthTensor> tensors_;
};

nlohmann::ordered_json Gpt2Config(const SynthShape& s) {
  return {{"activation_function", "gelu_new"},
          {"architectures", {"GPT2LMHeadModel"}},
          {"attn_pdrop", 0.1},
          {"bos_token_id", s.bos},
          {"embd_pdrop", 0.1},
          {"eos_token_id", s.eos},
          {"initializer_range", 0.02},
          {"layer_norm_epsilon", s.norm_eps},
          {"model_type", "gpt2"},
          {"n_ctx", s.positions},
          {"n_embd", s.hidden},
          {"n_head", s.heads},
          {"n_layer", s.layers},
          {"n_positions", s.positions},
          {"resid_pdrop", 0.1},
          {"tie_word_embeddings", s.tied},
          {"vocab_size", s.vocab}};
}

nlohmann::ordered_json LlamaConfig(const SynthShape& s) {
  return {{"architectures", {"LlamaForCausalLM"}},
          {"attention_bias", false},
          {"attention_dropout", 0.0},
          {"bos_token_id", s.bos},
          {"eos_token_id", s.eos},
          {"head_dim", s.head_dim},
          {"hidden_act", "silu"},
          {"hidden_size", s.hidden},
          {"initializer_range", 0.02},
          {"intermediate_size", s.intermediate},
          {"max_position_embeddings", s.positions},
          {"mlp_bias", false},
          {"model_type", "llama"},
          {"num_attention_heads", s.heads},
          {"num_hidden_layers", s.layers},
          {"num_key_value_heads", s.kv_heads},
          {"rms_norm_eps", s.norm_eps},
          {"rope_scaling", nullptr},
          {"rope_theta", s.rope_theta},
          {"tie_word_embeddings", s.tied},
          {"vocab_size", s.vocab}};
}

nlohmann::ordered_json Gemma3Config(const SynthShape& s) {
  return {{"architectures", {"Gemma3ForCausalLM"}},
          {"attention_bias", false},
          {"attention_dropout", 0.0},
          {"attn_logit_softcapping", nullptr},
          {"bos_token_id", s.bos},
          {"eos_token_id", s.eos},
          {"final_logit_softcapping", nullptr},
          {"head_dim", s.head_dim},
          {"hidden_activation", "gelu_pytorch_tanh"},
          {"hidden_size", s.hidden},
          {"initializer_range", 0.02},
          {"intermediate_size", s.intermediate},
          {"max_position_embeddings", s.positions},
          {"model_type", "gemma3_text"},
          {"num_attention_heads", s.heads},
          {"num_hidden_layers", s.layers},
          {"num_key_value_heads", s.kv_heads},
          {"pad_token_id", 0},
          {"query_pre_attn_scalar", s.head_dim},
          {"rms_norm_eps", s.norm_eps},
          {"rope_local_base_freq", 10000},
          {"rope_scaling", nullptr},
          {"rope_theta", s.rope_theta},
          {"sliding_window", s.window},
          {"sliding_window_pattern", kGemma3Pattern},
          {"tie_word_embeddings", s.tied},
          {"vocab_size", s.vocab}};
}

}  // namespace

absl::Span<const SynthShape> SynthShapes() { return kShapes; }

const SynthShape* FindSynthShape(absl::string_view name) {
  for (const SynthShape& shape : kShapes) {
    if (shape.name == name) return &shape;
  }
  return nullptr;
}

nlohmann::ordered_json SynthConfig(const SynthShape& shape, DataType type) {
  nlohmann::ordered_json config;
  switch (shape.family) {
    case SynthFamily::kGpt2:
      config = Gpt2Config(shape);
      break;
    case SynthFamily::kLlama:
      config = LlamaConfig(shape);
      break;
    case SynthFamily::kGemma3:
      config = Gemma3Config(shape);
      break;
  }
  config["torch_dtype"] = type == DataType::kF32 ? "float32" : "bfloat16";
  return config;
}

std::vector<SynthTensor> SynthTensors(const SynthShape& shape) { return TensorList(shape).Make(); }

}  // namespace weft::tools
