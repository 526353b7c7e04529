// The rotary embedding's settings in config.json, which every generation of transformers keeps in
// another place.
#pragma once

#include "frontends/config_json.h"
#include "frontends/decoder_config.h"
#include "frontends/families/family.h"
#include "frontends/rope_frequencies.h"

namespace weft {

// Of the layers that attend within a window, or of the others. `config` has head_dim and
// max_positions. Mistakes are recorded with `file`:
//   version 5: rope_parameters {rope_type, rope_theta, factor, …}, or
//              rope_parameters {full_attention: {…}, sliding_attention: {…}}
//   version 4: rope_theta, rope_scaling {rope_type or type, factor, …} and, for models with two
//              bases, rope_local_base_freq (not scaled)
RopeSettings ReadHfRope(const ConfigFields& file, const Family& family, const DecoderConfig& config,
                        bool sliding);

}  // namespace weft
