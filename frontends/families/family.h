// The model families, each a description of what sets it apart. hf_config.h and gguf_config.h read
// files by it, graph_builder.h builds by it; none of them knows a family by name.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "frontends/families/tensor_names.h"

namespace weft {

enum class NormKind { kRms, kLayer };

enum class BiasRule {
  kNone,
  kQkv,        // q, k and v
  kAll,        // every projection of the layers
  kAttention,  // as config.json's attention_bias says
  kConfig,     // as attention_bias and mlp_bias say
};

// Which layers attend within a sliding window, where config.json has no layer_types.
enum class WindowRule {
  kNone,
  kAll,      // all, where sliding_window is a number
  kQwen,     // those from max_window_layers on, where use_sliding_window is true
  kPattern,  // all but every `window_pattern`-th
};

// Names of config.json's fields.
struct HfFieldNames {
  const char* hidden = "hidden_size";
  const char* intermediate = "intermediate_size";
  const char* layers = "num_hidden_layers";
  const char* heads = "num_attention_heads";
  const char* positions = "max_position_embeddings";
  const char* norm_eps = "rms_norm_eps";
  const char* activation = "hidden_act";
};

// What the family's configuration class in Hugging Face transformers fills in for an absent field:
// config.json leaves out what equals it.
struct HfDefaults {
  int64_t vocab = 0;
  int64_t hidden = 0;
  int64_t intermediate = 0;  // 0: 4 * hidden
  int64_t layers = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;  // 0: heads
  int64_t head_dim = 0;  // 0: hidden / heads
  int64_t positions = 0;
  double norm_eps = 1e-6;
  const char* activation = "silu";
  bool tied = false;
  double rope_theta = 10000;
  double local_rope_theta = 0;       // of sliding layers; 0: as the others
  int64_t window = 0;                // 0: none
  double query_pre_attn_scalar = 0;  // 0: the family has no such field, head_dim it is
  double attention_softcap = 0;      // 0: none
  double final_softcap = 0;          // 0: none
};

struct Family {
  absl::string_view name;
  std::vector<absl::string_view> model_types;  // config.json: model_type
  absl::string_view gguf_architecture;         // general.architecture; "" where it has none
  NormKind norm = NormKind::kRms;
  bool unit_offset_norms = false;  // safetensors hold w of a norm's factor 1 + w (GGUF 1 + w)
  bool gated_ffn = true;
  bool qk_norms = false;           // RMS norm of each head of q and k, before the rotation
  bool post_norms = false;         // norms of the attention's and the feed-forward's result
  bool learned_positions = false;  // a table that is added to the embedding, instead of rotation
  bool scaled_embedding = false;   // times sqrt(hidden), rounded to F32
  bool attention_scale_flags = false;  // reads scale_attn_weights, …_by_inverse_layer_idx
  bool partial_rope = false;           // reads partial_rotary_factor
  bool gguf_interleaved_rope = false;  // GGUF holds rows of q and k with rotated pairs together
  int64_t gguf_wide_scale_layers = 0;  // GGUF with so many layers: scale is sqrt(heads / hidden)
  BiasRule bias = BiasRule::kNone;
  WindowRule window = WindowRule::kNone;
  int64_t window_pattern = 0;
  const TensorNames* hf_names = nullptr;
  const TensorNames* gguf_names = &kGgufTensorNames;
  HfFieldNames hf_fields;
  HfDefaults hf_defaults;
};

absl::Span<const Family> AllFamilies();

// Null where no family has it.
const Family* FindFamilyByModelType(absl::string_view model_type);
const Family* FindFamilyByGgufArchitecture(absl::string_view architecture);

// "gemma2, gemma3, gemma3_text, …" for messages.
std::string KnownModelTypes();
std::string KnownGgufArchitectures();

}  // namespace weft
