#include "frontends/text_settings.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "frontends/config_json.h"
#include "runtime/base/status_macros.h"

namespace weft {
namespace {

using nlohmann::json;

constexpr int64_t kMaxTokenId = (int64_t{1} << 31) - 1;
// The largest known templates have 30 kB.
constexpr uint64_t kMaxTemplateBytes = uint64_t{16} << 20;

void SetEos(const std::vector<int64_t>& ids, TextSettings* settings) {
  settings->eos_ids.assign(ids.begin(), ids.end());
  std::ranges::sort(settings->eos_ids);
  const auto repeated = std::ranges::unique(settings->eos_ids);
  settings->eos_ids.erase(repeated.begin(), repeated.end());
}

// An empty object where there is no such file.
absl::StatusOr<json> ReadOptionalObject(const std::string& path, std::vector<ConfigFile>* read) {
  WEFT_ASSIGN_OR_RETURN(std::optional<json> object, ReadJsonObjectIfAny(path, read));
  return object ? *std::move(object) : json::object();
}

// A token as tokenizer_config.json has it: its text, or an object with the text as "content".
std::string TokenText(const json& object, const ConfigFields& fields, const char* key) {
  if (!fields.IsSet(key)) return "";
  if (object[key].is_string()) return object[key].get<std::string>();
  const std::optional<ConfigFields> token = fields.Object(key);
  return token ? token->String("content", "") : "";
}

// A template, or a list of {name, template}, of which "default" is meant for chats.
std::string ChatTemplate(const json& object, const ConfigFields& fields) {
  const char* const key = "chat_template";
  if (!fields.IsSet(key)) return "";
  const json& value = object[key];
  if (!value.is_array()) return fields.String(key, "");
  std::string result;
  for (const json& entry : value) {
    if (!entry.is_object() || !entry.contains("template") || !entry["template"].is_string()) {
      fields.Fail(key, "is no list of templates with names");
      return "";
    }
    const bool is_default = entry.value("name", json()) == "default";
    if (result.empty() || is_default) result = entry["template"].get<std::string>();
    if (is_default) break;
  }
  return result;
}

constexpr double kMaxAdvice = 1e6;  // of a temperature or penalty

void ReadSampling(const ConfigFields& fields, SamplingDefaults* sampling) {
  const auto number = [&](const char* key, double max, std::optional<double>* value) {
    if (fields.IsSet(key)) *value = fields.Float(key, 0, 0, max);
  };
  if (fields.IsSet("do_sample")) sampling->do_sample = fields.Bool("do_sample", false);
  if (fields.IsSet("top_k")) sampling->top_k = fields.Int("top_k", 0, 0, kMaxTokenId);
  number("temperature", kMaxAdvice, &sampling->temperature);
  number("top_p", 1, &sampling->top_p);
  number("min_p", 1, &sampling->min_p);
  number("repetition_penalty", kMaxAdvice, &sampling->repetition_penalty);
}

}  // namespace

absl::StatusOr<TextSettings> ReadHfTextSettings(const std::string& folder, const json& config,
                                                std::vector<ConfigFile>* read) {
  std::vector<ConfigFile> unused;
  if (read == nullptr) read = &unused;
  const std::string generation_path = absl::StrCat(folder, "/generation_config.json");
  const std::string tokenizer_path = absl::StrCat(folder, "/tokenizer_config.json");
  const std::string template_path = absl::StrCat(folder, "/chat_template.jinja");
  WEFT_ASSIGN_OR_RETURN(const json generation_json, ReadOptionalObject(generation_path, read));
  WEFT_ASSIGN_OR_RETURN(const json tokenizer_json, ReadOptionalObject(tokenizer_path, read));

  absl::Status status;
  const ConfigFields generation(generation_json, generation_path, &status);
  const ConfigFields tokenizer(tokenizer_json, tokenizer_path, &status);
  const ConfigFields top(config, absl::StrCat(folder, "/config.json"), &status);
  const ConfigFields text = top.Object("text_config").value_or(top);
  TextSettings settings;
  for (const ConfigFields* fields : {&generation, &text, &top}) {
    if (settings.eos_ids.empty()) SetEos(fields->Ids("eos_token_id"), &settings);
    const std::vector<int64_t> bos = fields->Ids("bos_token_id");
    if (!settings.bos_id && !bos.empty()) settings.bos_id = static_cast<int32_t>(bos.front());
  }
  settings.bos_token = TokenText(tokenizer_json, tokenizer, "bos_token");
  settings.eos_token = TokenText(tokenizer_json, tokenizer, "eos_token");
  settings.chat_template = ChatTemplate(tokenizer_json, tokenizer);
  ReadSampling(generation, &settings.sampling);
  if (!status.ok()) return status;
  WEFT_ASSIGN_OR_RETURN(std::optional<std::string> chat_template,
                        ReadConfigFile(template_path, kMaxTemplateBytes, read));
  if (chat_template) settings.chat_template = *std::move(chat_template);
  return settings;
}

absl::StatusOr<TextSettings> ReadGgufTextSettings(const GgufMetadata& metadata) {
  TextSettings settings;
  const std::string prefix = "tokenizer.ggml.";
  std::vector<int64_t> eos;
  for (const char* key : {"eos_token_id", "eot_token_id", "eom_token_id"}) {
    WEFT_ASSIGN_OR_RETURN(const std::optional<int32_t> id, metadata.GetTokenId(prefix + key));
    if (id) eos.push_back(*id);
  }
  WEFT_ASSIGN_OR_RETURN(settings.bos_id, metadata.GetTokenId(prefix + "bos_token_id"));
  const GgufValue* tokens = metadata.Find(prefix + "tokens");
  if (tokens != nullptr && tokens->element == GgufType::kString) {
    const auto text = [&](int64_t id) {
      return id < static_cast<int64_t>(tokens->strings.size()) ? std::string(tokens->strings[id])
                                                               : std::string();
    };
    if (settings.bos_id) settings.bos_token = text(*settings.bos_id);
    if (!eos.empty()) settings.eos_token = text(eos.front());
    if (!metadata.Has(prefix + "eot_token_id")) {
      for (const char* end : {"<|eot_id|>", "<|im_end|>", "<end_of_turn>", "<|end|>"}) {
        const auto found = std::ranges::find(tokens->strings, absl::string_view(end));
        if (found != tokens->strings.end()) eos.push_back(found - tokens->strings.begin());
      }
    }
  }
  SetEos(eos, &settings);
  WEFT_ASSIGN_OR_RETURN(const absl::string_view chat_template,
                        metadata.GetStringOr("tokenizer.chat_template", ""));
  settings.chat_template = std::string(chat_template);

  SamplingDefaults& sampling = settings.sampling;
  const std::string advice = "general.sampling.";
  for (const auto& [key, most, value] :
       {std::tuple("temp", kMaxAdvice, &sampling.temperature),
        {"top_p", 1, &sampling.top_p},
        {"min_p", 1, &sampling.min_p},
        {"penalty_repeat", kMaxAdvice, &sampling.repetition_penalty}}) {
    WEFT_ASSIGN_OR_RETURN(*value, metadata.GetF32Within(advice + key, 0, most));
  }
  if (metadata.Has(advice + "top_k")) {
    WEFT_ASSIGN_OR_RETURN(const int32_t top_k, metadata.GetI32(advice + "top_k"));
    sampling.top_k = std::max(top_k, 0);  // below 0 is what 0 is, as in llama.cpp
  }
  return settings;
}

}  // namespace weft
