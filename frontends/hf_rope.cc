#include "frontends/hf_rope.h"

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "frontends/tensor_file.h"

namespace weft {
namespace {

constexpr double kMaxTheta = 1e12;
constexpr double kMaxFactor = 1e6;

void ReadScaling(const ConfigFields& fields, const ConfigFields& file, const DecoderConfig& config,
                 RopeSettings* settings) {
  const bool old_name = !fields.IsSet("rope_type") && fields.IsSet("type");
  const std::string type = fields.String(old_name ? "type" : "rope_type", "default");
  if (type == "default") return;
  if (type != "linear" && type != "llama3") {
    fields.Fail(old_name ? "type" : "rope_type",
                absl::StrCat("is ", QuoteName(type),
                             ", which is not supported; known: default, linear, llama3"));
    return;
  }
  for (const char* key : {"factor", "low_freq_factor", "high_freq_factor"}) {
    if (!fields.IsSet(key) && (type == "llama3" || absl::string_view(key) == "factor"))
      fields.Fail(key, absl::StrCat("is missing, which rope type ", type, " needs"));
  }
  settings->factor = fields.Float("factor", 1, 1e-3, kMaxFactor);
  if (type == "linear") {
    settings->scaling = RopeSettings::Scaling::kLinear;
    return;
  }
  settings->scaling = RopeSettings::Scaling::kLlama3;
  settings->low_freq_factor = fields.Float("low_freq_factor", 1, 1e-3, kMaxFactor);
  settings->high_freq_factor = fields.Float("high_freq_factor", 4, 1e-3, kMaxFactor);
  if (settings->high_freq_factor <= settings->low_freq_factor)
    fields.Fail("high_freq_factor", "is not above low_freq_factor");
  const char* const key = "original_max_position_embeddings";
  settings->original_context = static_cast<double>(
      fields.Int(key, file.Int(key, config.max_positions, 1, kMaxPositions), 1, kMaxPositions));
}

int64_t RotatedColumns(const ConfigFields& fields, const ConfigFields& file, const Family& family,
                       const DecoderConfig& config) {
  const char* const key = "partial_rotary_factor";
  const double part = fields.Float(key, file.Float(key, 1, 0, 1), 0, 1);
  if (part != 1 && !family.partial_rope) {
    file.Fail(key, absl::StrCat("is ", part, ", which is not supported for this model type"));
  }
  const auto columns = static_cast<int64_t>(static_cast<double>(config.head_dim) * part);
  if (columns < 2 || columns % 2 != 0) {
    file.Fail("head_dim", absl::StrCat("is ", config.head_dim, ", of which ", columns,
                                       " columns are rotated; expected an even number above 0"));
  }
  return columns;
}

}  // namespace

RopeSettings ReadHfRope(const ConfigFields& file, const Family& family, const DecoderConfig& config,
                        bool sliding) {
  RopeSettings settings;
  const bool local = sliding && family.hf_defaults.local_rope_theta > 0;
  settings.theta =
      local ? file.Float("rope_local_base_freq", family.hf_defaults.local_rope_theta, 1, kMaxTheta)
            : file.Float("rope_theta", family.hf_defaults.rope_theta, 1, kMaxTheta);

  const std::optional<ConfigFields> parameters = file.Object("rope_parameters");
  std::optional<ConfigFields> own;
  if (parameters && (parameters->Has("full_attention") || parameters->Has("sliding_attention"))) {
    own = parameters->Object(sliding ? "sliding_attention" : "full_attention");
  } else if (!local) {
    own = parameters ? parameters : file.Object("rope_scaling");
  }
  if (own) {
    settings.theta = own->Float("rope_theta", settings.theta, 1, kMaxTheta);
    ReadScaling(*own, file, config, &settings);
  }
  settings.dim = RotatedColumns(own.value_or(file), file, family, config);
  return settings;
}

}  // namespace weft
