// config.json of Hugging Face transformers, as versions 4 and 5 write it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "frontends/decoder_config.h"

namespace weft {

// Reads the parsed file; `name` opens the messages. Absent fields have the defaults of the family's
// configuration class. Version 5 has `rope_parameters` (one set, or one per layer type) and
// `layer_types` where 4 has rope_theta, rope_scaling, rope_local_base_freq and
// sliding_window_pattern; where both stand, the new one counts.
// Errors: an unknown model_type (lists the known ones); a value of the wrong kind or out of range,
// or one that does not go with another, by its field; what changes the computation and is not
// supported (rope types other than default, linear and llama3; quantised checkpoints; …), by name.
absl::StatusOr<DecoderConfig> ParseHfConfig(const nlohmann::json& config, const std::string& name);

}  // namespace weft
