#include "frontends/families/family.h"

#include <algorithm>

#include "absl/strings/str_join.h"

namespace weft {
namespace {

// Facts as in the modeling_*.py and configuration_*.py of transformers/models/<name>.
std::vector<Family> MakeFamilies() {
  std::vector<Family> families;
  families.push_back({
      .name = "gpt2",
      .model_types = {"gpt2"},
      .gguf_architecture = "gpt2",
      .norm = NormKind::kLayer,
      .gated_ffn = false,
      .learned_positions = true,
      .attention_scale_flags = true,
      .bias = BiasRule::kAll,
      .hf_names = &kGpt2TensorNames,
      .hf_fields = {.hidden = "n_embd",
                    .intermediate = "n_inner",
                    .layers = "n_layer",
                    .heads = "n_head",
                    .positions = "n_positions",
                    .norm_eps = "layer_norm_epsilon",
                    .activation = "activation_function"},
      .hf_defaults = {.vocab = 50257,
                      .hidden = 768,
                      .layers = 12,
                      .heads = 12,
                      .positions = 1024,
                      .norm_eps = 1e-5,
                      .activation = "gelu_new",
                      .tied = true},
  });
  families.push_back({
      .name = "llama",
      .model_types = {"llama"},
      .gguf_architecture = "llama",
      .gguf_interleaved_rope = true,
      .bias = BiasRule::kConfig,
      .hf_names = &kLlamaTensorNames,
      .hf_defaults = {.vocab = 32000,
                      .hidden = 4096,
                      .intermediate = 11008,
                      .layers = 32,
                      .heads = 32,
                      .positions = 2048},
  });
  // As GGUF, Mistral is an architecture "llama".
  families.push_back({
      .name = "mistral",
      .model_types = {"mistral"},
      .window = WindowRule::kAll,
      .hf_names = &kLlamaTensorNames,
      .hf_defaults = {.vocab = 32000,
                      .hidden = 4096,
                      .intermediate = 14336,
                      .layers = 32,
                      .heads = 32,
                      .kv_heads = 8,
                      .positions = 131072,
                      .window = 4096},
  });
  families.push_back({
      .name = "qwen2",
      .model_types = {"qwen2"},
      .gguf_architecture = "qwen2",
      .bias = BiasRule::kQkv,
      .window = WindowRule::kQwen,
      .hf_names = &kLlamaTensorNames,
      .hf_defaults = {.vocab = 151936,
                      .hidden = 4096,
                      .intermediate = 22016,
                      .layers = 32,
                      .heads = 32,
                      .kv_heads = 32,
                      .positions = 32768,
                      .window = 4096},
  });
  families.push_back({
      .name = "qwen3",
      .model_types = {"qwen3"},
      .gguf_architecture = "qwen3",
      .qk_norms = true,
      .bias = BiasRule::kAttention,
      .window = WindowRule::kQwen,
      .hf_names = &kLlamaTensorNames,
      .hf_defaults = {.vocab = 151936,
                      .hidden = 4096,
                      .intermediate = 22016,
                      .layers = 32,
                      .heads = 32,
                      .kv_heads = 32,
                      .head_dim = 128,
                      .positions = 32768,
                      .window = 4096},
  });
  families.push_back({
      .name = "phi3",
      .model_types = {"phi3"},
      .gguf_architecture = "phi3",
      .partial_rope = true,
      .window = WindowRule::kAll,
      .hf_names = &kPhi3TensorNames,
      .gguf_names = &kGgufPhi3TensorNames,
      .hf_defaults = {.vocab = 32064,
                      .hidden = 3072,
                      .intermediate = 8192,
                      .layers = 32,
                      .heads = 32,
                      .positions = 4096,
                      .norm_eps = 1e-5},
  });
  families.push_back({
      .name = "gemma2",
      .model_types = {"gemma2"},
      .gguf_architecture = "gemma2",
      .unit_offset_norms = true,
      .post_norms = true,
      .scaled_embedding = true,
      .gguf_wide_scale_layers = 46,  // the 27B model
      .bias = BiasRule::kAttention,
      .window = WindowRule::kPattern,
      .window_pattern = 2,
      .hf_names = &kGemmaTensorNames,
      .hf_fields = {.activation = "hidden_activation"},
      .hf_defaults = {.vocab = 256000,
                      .hidden = 2304,
                      .intermediate = 9216,
                      .layers = 26,
                      .heads = 8,
                      .kv_heads = 4,
                      .head_dim = 256,
                      .positions = 8192,
                      .activation = "gelu_pytorch_tanh",
                      .tied = true,
                      .window = 4096,
                      .query_pre_attn_scalar = 256,
                      .attention_softcap = 50,
                      .final_softcap = 30},
  });
  families.push_back({
      .name = "gemma3",
      .model_types = {"gemma3_text", "gemma3"},
      .gguf_architecture = "gemma3",
      .unit_offset_norms = true,
      .qk_norms = true,
      .post_norms = true,
      .scaled_embedding = true,
      .gguf_wide_scale_layers = 62,  // the 27B model
      .bias = BiasRule::kAttention,
      .window = WindowRule::kPattern,
      .window_pattern = 6,
      .hf_names = &kGemmaTensorNames,
      .hf_fields = {.activation = "hidden_activation"},
      .hf_defaults = {.vocab = 262208,
                      .hidden = 2304,
                      .intermediate = 9216,
                      .layers = 26,
                      .heads = 8,
                      .kv_heads = 4,
                      .head_dim = 256,
                      .positions = 131072,
                      .activation = "gelu_pytorch_tanh",
                      .tied = true,
                      .rope_theta = 1e6,
                      .local_rope_theta = 10000,
                      .window = 4096,
                      .query_pre_attn_scalar = 256},
  });
  return families;
}

}  // namespace

absl::Span<const Family> AllFamilies() {
  static const auto* const families = new std::vector<Family>(MakeFamilies());
  return *families;
}

const Family* FindFamilyByModelType(absl::string_view model_type) {
  for (const Family& family : AllFamilies()) {
    if (std::ranges::find(family.model_types, model_type) != family.model_types.end())
      return &family;
  }
  return nullptr;
}

const Family* FindFamilyByGgufArchitecture(absl::string_view architecture) {
  if (architecture.empty()) return nullptr;
  for (const Family& family : AllFamilies()) {
    if (family.gguf_architecture == architecture) return &family;
  }
  return nullptr;
}

std::string KnownModelTypes() {
  std::vector<absl::string_view> names;
  for (const Family& family : AllFamilies())
    names.insert(names.end(), family.model_types.begin(), family.model_types.end());
  std::ranges::sort(names);
  return absl::StrJoin(names, ", ");
}

std::string KnownGgufArchitectures() {
  std::vector<absl::string_view> names;
  for (const Family& family : AllFamilies()) {
    if (!family.gguf_architecture.empty()) names.push_back(family.gguf_architecture);
  }
  std::ranges::sort(names);
  return absl::StrJoin(names, ", ");
}

}  // namespace weft
