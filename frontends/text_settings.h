// What generating text with a model needs to know beside its graph and tokenizer.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "frontends/config_file.h"
#include "frontends/gguf_metadata.h"

namespace weft {

// What the model's makers advise; nullopt where they say nothing.
struct SamplingDefaults {
  std::optional<bool> do_sample;
  std::optional<double> temperature;
  std::optional<int64_t> top_k;
  std::optional<double> top_p;
  std::optional<double> min_p;
  std::optional<double> repetition_penalty;
};

struct TextSettings {
  std::optional<int32_t> bos_id;
  std::vector<int32_t> eos_ids;  // generation stops at any of these; ascending, no two alike
  // Texts of the tokens, for chat templates; empty where unknown.
  std::string bos_token;
  std::string eos_token;
  std::string chat_template;  // Jinja source; empty: none
  SamplingDefaults sampling;
};

// From generation_config.json, tokenizer_config.json and chat_template.jinja of a model folder,
// all of them optional, and its parsed config.json, which stands in where the first is silent.
// Those that there are are added to `read`. A file that may be there, but cannot be opened, is an
// error.
absl::StatusOr<TextSettings> ReadHfTextSettings(const std::string& folder,
                                                const nlohmann::json& config,
                                                std::vector<ConfigFile>* read = nullptr);

// From tokenizer.ggml.*_token_id, tokenizer.chat_template and general.sampling.*. Files without
// eot_token_id (end of turn) get the well-known such tokens of their vocabulary, if any.
absl::StatusOr<TextSettings> ReadGgufTextSettings(const GgufMetadata& metadata);

}  // namespace weft
