#include "frontends/gguf_config.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "frontends/families/family.h"
#include "frontends/rope_frequencies.h"
#include "frontends/tensor_file.h"

namespace weft {
namespace {

// The keys of one architecture, with the first mistake kept: "block_count" is "llama.block_count".
class ArchitectureKeys {
 public:
  ArchitectureKeys(const GgufMetadata& metadata, std::string architecture, std::string name)
      : metadata_(metadata), architecture_(std::move(architecture)), name_(std::move(name)) {}

  std::string Key(absl::string_view key) const {
    return absl::StrCat(architecture_, ".", std::string(key));
  }
  bool Has(absl::string_view key) const { return metadata_.Has(Key(key)); }

  // Must be there; an array (one value per layer) must hold one value throughout.
  int64_t Int(absl::string_view key, int64_t min, int64_t max) {
    const GgufValue* value = metadata_.Find(Key(key));
    if (value != nullptr && value->type == GgufType::kArray) return Uniform(key, min, max);
    return Check(key, metadata_.GetU64(Key(key)), min, max);
  }
  int64_t IntOr(absl::string_view key, int64_t fallback, int64_t min, int64_t max) {
    return Has(key) ? Int(key, min, max) : fallback;
  }
  double FloatOr(absl::string_view key, double fallback, double min, double max) {
    if (!Has(key)) return fallback;
    const absl::StatusOr<float> value = metadata_.GetF32(Key(key));
    if (!value.ok()) {
      Keep(value.status());
      return fallback;
    }
    if (!(*value >= min && *value <= max)) {
      Fail(key, absl::StrCat("is ", *value, ", expected a number from ", min, " to ", max));
      return fallback;
    }
    return *value;
  }
  std::string StringOr(absl::string_view key, const char* fallback) {
    const absl::StatusOr<absl::string_view> value = metadata_.GetStringOr(Key(key), fallback);
    Keep(value.status());
    return value.ok() ? std::string(*value) : fallback;
  }

  void Fail(absl::string_view key, absl::string_view what) {
    Keep(absl::InvalidArgumentError(absl::StrCat(name_, ": ", Key(key), " ", what)));
  }
  const absl::Status& status() const { return status_; }
  const GgufMetadata& metadata() const { return metadata_; }

 private:
  void Keep(const absl::Status& status) { status_.Update(status); }

  int64_t Check(absl::string_view key, const absl::StatusOr<uint64_t>& value, int64_t min,
                int64_t max) {
    if (!value.ok()) {
      Keep(value.status());
      return min;
    }
    if (*value < static_cast<uint64_t>(min) || *value > static_cast<uint64_t>(max)) {
      Fail(key, absl::StrCat("is ", *value, ", expected a number from ", min, " to ", max));
      return min;
    }
    return static_cast<int64_t>(*value);
  }

  int64_t Uniform(absl::string_view key, int64_t min, int64_t max) {
    const absl::StatusOr<std::vector<int32_t>> values = metadata_.GetI32Array(Key(key));
    if (!values.ok()) {
      Keep(values.status());
      return min;
    }
    if (values->empty() ||
        std::ranges::any_of(*values, [&](int32_t v) { return v != values->front(); })) {
      Fail(key, "differs from layer to layer, which is not supported");
      return min;
    }
    return Check(key, static_cast<uint64_t>(std::max(0, values->front())), min, max);
  }

  const GgufMetadata& metadata_;
  std::string architecture_;
  std::string name_;
  absl::Status status_;
};

void ReadDims(ArchitectureKeys& keys, const TensorEntry& embedding, DecoderConfig* config) {
  config->fields = {.hidden = keys.Key("embedding_length"),
                    .intermediate = keys.Key("feed_forward_length"),
                    .layers = keys.Key("block_count"),
                    .heads = keys.Key("attention.head_count"),
                    .kv_heads = keys.Key("attention.head_count_kv"),
                    .head_dim = keys.Key("attention.key_length"),
                    .vocab = "the rows of token_embd.weight",
                    .positions = keys.Key("context_length")};
  config->hidden = keys.Int("embedding_length", 1, kMaxModelDim);
  config->intermediate = keys.Int("feed_forward_length", 1, kMaxModelDim);
  config->layers.resize(keys.Int("block_count", 1, kMaxLayers));
  config->heads = keys.Int("attention.head_count", 1, kMaxHeads);
  config->kv_heads = keys.IntOr("attention.head_count_kv", config->heads, 1, kMaxHeads);
  config->max_positions = keys.Int("context_length", 1, kMaxPositions);
  if (!keys.Has("attention.key_length") && config->hidden % config->heads != 0) {
    keys.Fail("attention.head_count", absl::StrCat("is ", config->heads, ", which does not divide ",
                                                   config->fields.hidden, " = ", config->hidden));
  }
  config->head_dim = keys.IntOr(
      "attention.key_length", std::max<int64_t>(1, config->hidden / config->heads), 1, kMaxHeadDim);
  if (config->head_dim > kMaxHeadDim) {
    keys.Fail("attention.head_count",
              absl::StrCat("is ", config->heads, ", so that a head has ", config->head_dim,
                           " columns, above ", kMaxHeadDim));
  }
  const int64_t value_dim = keys.IntOr("attention.value_length", config->head_dim, 1, kMaxModelDim);
  if (value_dim != config->head_dim) {
    keys.Fail("attention.value_length",
              absl::StrCat("is ", value_dim, " and not ", config->fields.head_dim, " = ",
                           config->head_dim, ", which is not supported"));
  }
  if (keys.IntOr("expert_count", 0, 0, kMaxModelDim) > 0)
    keys.Fail("expert_count", "is above 0: models of experts are not supported");

  config->vocab = embedding.dims.empty() ? 0 : embedding.dims[0];
  if (config->vocab < 1 || config->vocab > kMaxModelDim) {
    keys.Fail("vocab_size", absl::StrCat("(the rows of token_embd.weight) is ", config->vocab,
                                         ", expected a number from 1 to ", kMaxModelDim));
  }
  const GgufValue* tokens = keys.metadata().Find("tokenizer.ggml.tokens");
  if (tokens != nullptr && tokens->count > static_cast<uint64_t>(config->vocab)) {
    keys.Fail("vocab_size", absl::StrCat("(the rows of token_embd.weight) is ", config->vocab,
                                         ", but tokenizer.ggml.tokens lists ", tokens->count));
  }
}

void ReadNumerics(ArchitectureKeys& keys, const Family& family, DecoderConfig* config) {
  const bool rms = family.norm == NormKind::kRms;
  const char* const eps = rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon";
  if (!keys.Has(eps)) keys.Fail(eps, "is missing");
  config->norm_eps = keys.FloatOr(eps, 0, 0, 1);
  if (family.scaled_embedding) {
    config->embedding_scale = static_cast<float>(std::sqrt(static_cast<double>(config->hidden)));
  }
  // Architectures have one activation each; files do not name it.
  const bool silu = absl::string_view(family.hf_defaults.activation) == "silu";
  config->activation = silu ? "silu" : "gelu_tanh";
  config->attention_softcap =
      keys.FloatOr("attn_logit_softcapping", family.hf_defaults.attention_softcap, 0, 1e6);
  config->final_softcap =
      keys.FloatOr("final_logit_softcapping", family.hf_defaults.final_softcap, 0, 1e6);
}

void ReadAttention(ArchitectureKeys& keys, const Family& family, DecoderConfig* config) {
  const auto layers = static_cast<int64_t>(config->layers.size());
  const double head_width =
      layers == family.gguf_wide_scale_layers
          ? static_cast<double>(config->hidden) / static_cast<double>(config->heads)
          : static_cast<double>(config->head_dim);
  const double scale = keys.FloatOr("attention.scale", 1 / std::sqrt(head_width), 0, 1e6);

  const int64_t window =
      keys.IntOr("attention.sliding_window", family.hf_defaults.window, 0, kMaxPositions);
  int64_t pattern = family.window_pattern;
  const char* const pattern_key = "attention.sliding_window_pattern";
  const GgufValue* stated = keys.metadata().Find(keys.Key(pattern_key));
  std::vector<bool> sliding(layers, true);
  if (stated != nullptr && stated->type == GgufType::kArray) {
    const absl::StatusOr<std::vector<bool>> list =
        keys.metadata().GetBoolArray(keys.Key(pattern_key));
    if (list.ok() && static_cast<int64_t>(list->size()) == layers) {
      sliding = *list;
    } else {
      keys.Fail(pattern_key, absl::StrCat("is no list of ", layers, " flags"));
    }
  } else {
    pattern = keys.IntOr(pattern_key, pattern, 0, kMaxLayers);
    for (int64_t i = 0; i < layers; ++i) sliding[i] = pattern == 0 || (i + 1) % pattern != 0;
  }
  for (int64_t i = 0; i < layers; ++i) {
    LayerConfig& layer = config->layers[i];
    layer.attention_scale = scale;
    // The Qwen families' files state a window that their models do not use.
    if (sliding[i] && family.window != WindowRule::kQwen) layer.window = window;
  }
}

absl::Status BadDivisor(const std::string& name, float divisor) {
  return absl::InvalidArgumentError(absl::StrCat(name, ": tensor 'rope_freqs.weight' holds ",
                                                 divisor, ", expected numbers above 0"));
}

// rope_freqs.weight: what each of the `pairs` speeds is divided by; empty where there is none.
absl::StatusOr<std::vector<float>> ReadDivisors(const GgufFile& file, const std::string& name,
                                                size_t pairs) {
  std::vector<float> divisors;
  const TensorEntry* tensor = file.tensors.Find("rope_freqs.weight");
  if (tensor == nullptr) return divisors;
  if (tensor->type != DataType::kF32 ||
      tensor->dims != std::vector<int64_t>{static_cast<int64_t>(pairs)}) {
    return absl::InvalidArgumentError(absl::StrCat(
        name, ": tensor 'rope_freqs.weight' is ", Name(tensor->type), " ",
        DimsToString(tensor->dims), ", expected f32 [", pairs, "] (half of rope.dimension_count)"));
  }
  const absl::Span<const uint8_t> bytes = file.tensors.Bytes(*tensor);
  for (size_t i = 0; i < pairs; ++i) {
    float divisor = 0;
    std::memcpy(&divisor, bytes.data() + i * sizeof(float), sizeof(float));
    if (!(divisor > 0) || !std::isfinite(divisor)) {
      return BadDivisor(name, divisor);
    }
    divisors.push_back(divisor);
  }
  return divisors;
}

absl::Status ReadRopes(ArchitectureKeys& keys, const GgufFile& file, const Family& family,
                       DecoderConfig* config) {
  if (family.learned_positions) return absl::OkStatus();
  config->interleaved_rope = family.gguf_interleaved_rope;
  RopeSettings global;
  global.dim = keys.IntOr("rope.dimension_count", config->head_dim, 1, kMaxModelDim);
  if (global.dim % 2 != 0 || global.dim > config->head_dim) {
    keys.Fail("rope.dimension_count",
              absl::StrCat("is ", global.dim, ", expected an even number up to ",
                           config->fields.head_dim, " = ", config->head_dim));
    return keys.status();
  }
  global.theta = keys.FloatOr("rope.freq_base", family.hf_defaults.rope_theta, 1, 1e12);
  RopeSettings local = global;
  const bool two_bases = family.hf_defaults.local_rope_theta > 0;
  if (two_bases)
    local.theta = keys.FloatOr("rope.freq_base_swa", family.hf_defaults.local_rope_theta, 1, 1e12);

  const std::string scaling = keys.StringOr("rope.scaling.type", "none");
  if (scaling == "linear") {
    global.scaling = RopeSettings::Scaling::kLinear;
    global.factor = keys.FloatOr("rope.scaling.factor", 1, 1e-3, 1e6);
  } else if (scaling != "none") {
    keys.Fail("rope.scaling.type", absl::StrCat("is ", QuoteName(scaling),
                                                ", which is not supported; known: none, linear"));
  }
  if (keys.FloatOr("rope.scale_linear", 1, 0, 1e6) != 1)
    keys.Fail("rope.scale_linear", "is not 1, which is not supported");
  for (const char* factors : {"rope_factors_long.weight", "rope_factors_short.weight"}) {
    if (file.tensors.Find(factors) != nullptr)
      keys.Fail("rope.scaling",
                absl::StrCat("comes with ", factors, " (longrope), which is not supported"));
  }
  if (!keys.status().ok()) return keys.status();
  const absl::StatusOr<std::vector<float>> divisors =
      ReadDivisors(file, config->source, global.dim / 2);
  if (!divisors.ok()) return divisors.status();
  int ropes[2] = {-1, -1};  // of layers that see all, of local ones
  for (LayerConfig& layer : config->layers) {
    const bool is_local = two_bases && layer.window > 0;
    int& index = ropes[is_local ? 1 : 0];
    if (index < 0) {
      // Layers within a window see near positions only: their speeds are never scaled.
      RopeConfig rope{.inv_freq = InverseFrequencies(is_local ? local : global), .local = is_local};
      for (size_t i = 0; i < divisors->size(); ++i) {
        rope.inv_freq[i] /= (*divisors)[i];
        if (!std::isfinite(rope.inv_freq[i])) return BadDivisor(config->source, (*divisors)[i]);
      }
      index = config->AddRope(std::move(rope));
    }
    layer.rope = index;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<DecoderConfig> ParseGgufConfig(const GgufFile& file, const std::string& name) {
  const absl::StatusOr<absl::string_view> architecture =
      file.metadata.GetString("general.architecture");
  if (!architecture.ok()) return architecture.status();
  const Family* family = FindFamilyByGgufArchitecture(*architecture);
  if (family == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": general.architecture ", QuoteName(*architecture),
                     " is unknown; known are ", KnownGgufArchitectures()));
  }
  if (file.tensors.tensors().empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        name, ": has a vocabulary but no tensors; it can tokenize, but is no model to run"));
  }
  const TensorEntry* embedding = file.tensors.Find("token_embd.weight");
  if (embedding == nullptr)
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": tensor 'token_embd.weight' is missing"));

  DecoderConfig config{.family = family, .source = name, .gguf = true};
  ArchitectureKeys keys(file.metadata, std::string(*architecture), name);
  ReadDims(keys, *embedding, &config);
  if (!keys.status().ok()) return keys.status();
  ReadNumerics(keys, *family, &config);
  ReadAttention(keys, *family, &config);
  if (absl::Status status = ReadRopes(keys, file, *family, &config); !status.ok()) return status;
  if (!keys.status().ok()) return keys.status();

  // Architectures do not say which projections have biases, their files do.
  const auto has = [&](absl::string_view tensor) { return file.tensors.Find(tensor) != nullptr; };
  const BiasRule rule = family->bias;
  config.qkv_bias = rule == BiasRule::kAll || rule == BiasRule::kQkv || has("blk.0.attn_q.bias") ||
                    has("blk.0.attn_qkv.bias");
  config.attention_out_bias = rule == BiasRule::kAll || has("blk.0.attn_output.bias");
  config.ffn_bias = rule == BiasRule::kAll || has("blk.0.ffn_down.bias");
  config.tied = !has("output.weight");
  if (absl::Status valid = ValidateConfig(config); !valid.ok()) return valid;
  return config;
}

}  // namespace weft
