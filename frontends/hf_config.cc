#include "frontends/hf_config.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/strings/str_cat.h"
#include "frontends/config_json.h"
#include "frontends/families/family.h"
#include "frontends/hf_rope.h"
#include "frontends/tensor_file.h"
#include "runtime/text/terminal_text.h"

namespace weft {
namespace {

// "gelu_tanh" for the names transformers gives that function; "" for those it does not know here.
std::string ActivationOf(absl::string_view name) {
  if (name == "gelu_new" || name == "gelu_pytorch_tanh") return "gelu_tanh";
  if (name == "gelu") return "gelu";
  if (name == "silu" || name == "swish") return "silu";
  return "";
}

void ReadDims(const ConfigFields& file, const Family& family, DecoderConfig* config) {
  const HfFieldNames& names = family.hf_fields;
  const HfDefaults& defaults = family.hf_defaults;
  config->fields = {.hidden = names.hidden,
                    .intermediate = names.intermediate,
                    .layers = names.layers,
                    .heads = names.heads,
                    .kv_heads = "num_key_value_heads",
                    .head_dim = "head_dim",
                    .vocab = "vocab_size",
                    .positions = names.positions};
  config->vocab = file.Int("vocab_size", defaults.vocab, 1, kMaxModelDim);
  config->hidden = file.Int(names.hidden, defaults.hidden, 1, kMaxModelDim);
  config->heads = file.Int(names.heads, defaults.heads, 1, kMaxHeads);
  config->max_positions = file.Int(names.positions, defaults.positions, 1, kMaxPositions);
  config->layers.resize(file.Int(names.layers, defaults.layers, 1, kMaxLayers));
  config->intermediate =
      file.Int(names.intermediate,
               defaults.intermediate > 0 ? defaults.intermediate
                                         : std::min(4 * config->hidden, kMaxModelDim),
               1, kMaxModelDim);
  // Absent has the class's default, null means "as many as heads".
  const bool kv_default = !file.Has("num_key_value_heads") && defaults.kv_heads > 0;
  config->kv_heads =
      file.Int("num_key_value_heads", kv_default ? defaults.kv_heads : config->heads, 1, kMaxHeads);
  const bool dim_default = !file.Has("head_dim") && defaults.head_dim > 0;
  config->head_dim = file.Int(
      "head_dim",
      dim_default ? defaults.head_dim : std::max<int64_t>(1, config->hidden / config->heads), 1,
      kMaxHeadDim);
  if (config->head_dim > kMaxHeadDim) {
    file.Fail(names.heads, absl::StrCat("is ", config->heads, ", so that a head has ",
                                        config->head_dim, " columns, above ", kMaxHeadDim));
  }
  if (!file.IsSet("head_dim") && !dim_default && config->hidden % config->heads != 0) {
    file.Fail(names.heads, absl::StrCat("is ", config->heads, ", which does not divide ",
                                        names.hidden, " = ", config->hidden));
  }
}

void ReadBiases(const ConfigFields& file, const Family& family, DecoderConfig* config) {
  const BiasRule rule = family.bias;
  const bool by_config = rule == BiasRule::kAttention || rule == BiasRule::kConfig;
  const bool attention = by_config && file.Bool("attention_bias", false);
  config->qkv_bias = rule == BiasRule::kAll || rule == BiasRule::kQkv || attention;
  config->attention_out_bias = rule == BiasRule::kAll || attention;
  config->ffn_bias =
      rule == BiasRule::kAll || (rule == BiasRule::kConfig && file.Bool("mlp_bias", false));
}

// 0 where null: the default stands in for an absent field only.
double ReadSoftcap(const ConfigFields& file, const char* key, double fallback) {
  return file.Float(key, file.Has(key) ? 0 : fallback, 1e-3, 1e6);
}

void ReadNumerics(const ConfigFields& file, const Family& family, DecoderConfig* config) {
  const HfFieldNames& names = family.hf_fields;
  const HfDefaults& defaults = family.hf_defaults;
  config->norm_eps = file.Float(names.norm_eps, defaults.norm_eps, 0, 1);
  config->norm_offset = family.unit_offset_norms ? 1 : 0;
  if (family.scaled_embedding) {
    config->embedding_scale = static_cast<float>(std::sqrt(static_cast<double>(config->hidden)));
  }
  const std::string activation = file.String(names.activation, defaults.activation);
  config->activation = ActivationOf(activation);
  if (config->activation.empty()) {
    file.Fail(names.activation,
              absl::StrCat("is ", QuoteName(activation),
                           ", which is not supported; known: gelu, gelu_new, gelu_pytorch_tanh, "
                           "silu, swish"));
  }
  config->attention_softcap =
      ReadSoftcap(file, "attn_logit_softcapping", defaults.attention_softcap);
  config->final_softcap = ReadSoftcap(file, "final_logit_softcapping", defaults.final_softcap);

  double scale = 1 / std::sqrt(static_cast<double>(config->head_dim));
  if (defaults.query_pre_attn_scalar > 0) {
    scale = 1 / std::sqrt(
                    file.Float("query_pre_attn_scalar", defaults.query_pre_attn_scalar, 1e-6, 1e9));
  }
  bool by_layer = false;
  if (family.attention_scale_flags) {
    const char* const flag = "scale_attn_by_inverse_layer_idx";
    if (!file.Bool("scale_attn_weights", true)) scale = 1;
    by_layer = file.Bool(flag, false);
    // The scale is a constant of the kernel, which takes 0.2 s to compile. 48 layers known.
    constexpr size_t kMostScales = 64;
    if (by_layer && config->layers.size() > kMostScales) {
      file.Fail(flag, absl::StrCat("is true with more than ", kMostScales,
                                   " layers, which is not supported"));
    }
  }
  for (size_t i = 0; i < config->layers.size(); ++i) {
    config->layers[i].attention_scale = by_layer ? scale / static_cast<double>(i + 1) : scale;
  }
}

// One per layer: whether it attends within the window.
std::vector<bool> ReadSlidingLayers(const ConfigFields& file, const Family& family, size_t layers) {
  std::vector<bool> sliding(layers, false);
  const std::vector<std::string> types = file.Strings("layer_types");
  if (!types.empty()) {
    if (types.size() != layers) {
      file.Fail("layer_types", absl::StrCat("lists ", types.size(), " layers, but ",
                                            family.hf_fields.layers, " is ", layers));
      return sliding;
    }
    for (size_t i = 0; i < layers; ++i) {
      sliding[i] = types[i] == "sliding_attention";
      if (!sliding[i] && types[i] != "full_attention") {
        file.Fail("layer_types", absl::StrCat("holds ", QuoteName(types[i]),
                                              ", which is not supported; known: full_attention, "
                                              "sliding_attention"));
      }
    }
    return sliding;
  }
  switch (family.window) {
    case WindowRule::kNone:
      break;
    case WindowRule::kAll:
      sliding.assign(layers, true);
      break;
    case WindowRule::kQwen: {
      const int64_t first = file.Int("max_window_layers", 28, 0, kMaxLayers);
      for (size_t i = 0; i < layers; ++i)
        sliding[i] = file.Bool("use_sliding_window", false) && static_cast<int64_t>(i) >= first;
      break;
    }
    case WindowRule::kPattern: {
      int64_t pattern = family.window_pattern;
      for (const char* key : {"sliding_window_pattern", "_sliding_window_pattern"})
        pattern = file.Int(key, pattern, 1, kMaxLayers);
      for (size_t i = 0; i < layers; ++i) sliding[i] = (static_cast<int64_t>(i) + 1) % pattern != 0;
      break;
    }
  }
  return sliding;
}

void ReadWindows(const ConfigFields& file, const Family& family, const std::vector<bool>& sliding,
                 DecoderConfig* config) {
  const int64_t fallback = file.Has("sliding_window") ? 0 : family.hf_defaults.window;
  const int64_t window = file.Int("sliding_window", fallback, 1, kMaxPositions);
  for (size_t i = 0; i < sliding.size(); ++i) {
    if (!sliding[i]) continue;
    if (window == 0 && family.window != WindowRule::kAll) {
      file.Fail("sliding_window",
                absl::StrCat("is not set, but layer ", i, " attends within a sliding window"));
    }
    config->layers[i].window = window;
  }
}

void ReadRopes(const ConfigFields& file, const Family& family, const std::vector<bool>& sliding,
               DecoderConfig* config) {
  if (family.learned_positions) return;
  const bool two_bases = family.hf_defaults.local_rope_theta > 0;
  int ropes[2] = {-1, -1};  // of layers that see all, of sliding ones
  for (size_t i = 0; i < sliding.size(); ++i) {
    int& index = ropes[sliding[i] ? 1 : 0];
    if (index < 0) {
      index = config->AddRope(
          {.inv_freq = InverseFrequencies(ReadHfRope(file, family, *config, sliding[i])),
           .local = two_bases && sliding[i]});
    }
    config->layers[i].rope = index;
  }
}

// What would change the results and is not built.
void RefuseUnsupported(const ConfigFields& file) {
  if (file.IsSet("quantization_config")) {
    const std::optional<ConfigFields> quantization = file.Object("quantization_config");
    const std::string method =
        quantization ? quantization->String("quant_method", "unnamed") : "unnamed";
    file.Fail("quantization_config",
              absl::StrCat("says that the weights are quantised (", TerminalText(method, 120),
                           "), which is not supported; take the original model or a GGUF file"));
  }
  if (file.Bool("add_cross_attention", false))
    file.Fail("add_cross_attention", "is true, which is not supported");
  if (file.Bool("use_bidirectional_attention", false))
    file.Fail("use_bidirectional_attention", "is true, which is not supported");
}

}  // namespace

absl::StatusOr<DecoderConfig> ParseHfConfig(const nlohmann::json& json, const std::string& name) {
  absl::Status status;
  const ConfigFields top(json, name, &status);
  const std::string model_type = top.String("model_type", "");
  if (!status.ok()) return status;
  const Family* family = FindFamilyByModelType(model_type);
  if (family == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(
        name, ": model_type ",
        model_type.empty() ? "is missing" : absl::StrCat(QuoteName(model_type), " is unknown"),
        "; known are ", KnownModelTypes()));
  }
  // Multimodal models keep the decoder's fields one level down.
  const ConfigFields file = top.Object("text_config").value_or(top);
  DecoderConfig config{.family = family, .source = name};
  ReadDims(file, *family, &config);
  if (!status.ok()) return status;  // sizes must be sane before anything is made of them
  ReadBiases(file, *family, &config);
  ReadNumerics(file, *family, &config);
  config.tied =
      file.Bool("tie_word_embeddings", top.Bool("tie_word_embeddings", family->hf_defaults.tied));
  const std::vector<bool> sliding = ReadSlidingLayers(file, *family, config.layers.size());
  ReadWindows(file, *family, sliding, &config);
  ReadRopes(file, *family, sliding, &config);
  RefuseUnsupported(file);
  RefuseUnsupported(top);
  if (!status.ok()) return status;
  if (absl::Status valid = ValidateConfig(config); !valid.ok()) return valid;
  return config;
}

}  // namespace weft
