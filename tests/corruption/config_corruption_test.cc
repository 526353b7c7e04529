// config.json of every family, as transformers 5 writes it and as earlier ones did.
#include <gtest/gtest.h>

#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "frontends/families/family.h"
#include "frontends/model_test_util.h"
#include "tests/corruption/corruption.h"
#include "tests/corruption/json_fields.h"
#include "tests/corruption/json_map.h"
#include "tests/corruption/model_folder.h"

namespace weft::corruption {
namespace {

using Json = nlohmann::ordered_json;

Json TinyJson(const std::string& tiny) {
  return Json::parse(TextOf(TinyFolder(tiny) + "/config.json"));
}

const std::map<std::string, Kind> kPatterns = {
    {"/n_embd", Kind::kSize},
    {"/n_layer", Kind::kSize},
    {"/n_head", Kind::kSize},
    {"/n_positions", Kind::kSize},
    {"/n_inner", Kind::kSize},
    {"/layer_norm_epsilon", Kind::kShare},
    {"/add_cross_attention", Kind::kFlag},
    {"/scale_attn_weights", Kind::kFlag},
    {"/scale_attn_by_inverse_layer_idx", Kind::kFlag},
    {"/activation_function", Kind::kWord},
    {"/hidden_size", Kind::kSize},
    {"/intermediate_size", Kind::kSize},
    {"/num_hidden_layers", Kind::kSize},
    {"/num_attention_heads", Kind::kSize},
    {"/num_key_value_heads", Kind::kSize},
    {"/head_dim", Kind::kSize},
    {"/vocab_size", Kind::kSize},
    {"/max_position_embeddings", Kind::kSize},
    {"/original_max_position_embeddings", Kind::kSize},
    {"/sliding_window", Kind::kSize},
    {"/sliding_window_pattern", Kind::kSize},
    {"/_sliding_window_pattern", Kind::kSize},
    {"/use_sliding_window", Kind::kFlag},
    {"/max_window_layers", Kind::kId},
    {"/bos_token_id", Kind::kIds},
    {"/eos_token_id", Kind::kIds},
    {"/eos_token_id/*", Kind::kId},
    {"/rms_norm_eps", Kind::kShare},
    {"/query_pre_attn_scalar", Kind::kNumber},
    {"/attention_bias", Kind::kFlag},
    {"/mlp_bias", Kind::kFlag},
    {"/tie_word_embeddings", Kind::kFlag},
    {"/use_bidirectional_attention", Kind::kFlag},
    {"/hidden_act", Kind::kWord},
    {"/hidden_activation", Kind::kWord},
    {"/model_type", Kind::kWord},
    {"/text_config", Kind::kObject},
    {"/quantization_config", Kind::kForbidden},
    {"/layer_types", Kind::kList},
    {"/layer_types/*", Kind::kWord},
    {"/attn_logit_softcapping", Kind::kNumber},
    {"/final_logit_softcapping", Kind::kNumber},
    {"/partial_rotary_factor", Kind::kShare},
    {"/rope_theta", Kind::kNumber},
    {"/rope_local_base_freq", Kind::kNumber},
    {"/rope_scaling", Kind::kObject},
    {"/rope_scaling/type", Kind::kWord},
    {"/rope_scaling/rope_type", Kind::kWord},
    {"/rope_scaling/factor", Kind::kNumber},
    {"/rope_scaling/low_freq_factor", Kind::kNumber},
    {"/rope_scaling/high_freq_factor", Kind::kNumber},
    {"/rope_scaling/original_max_position_embeddings", Kind::kSize},
    {"/rope_parameters", Kind::kObject},
    {"/rope_parameters/rope_theta", Kind::kNumber},
    {"/rope_parameters/rope_type", Kind::kWord},
    {"/rope_parameters/partial_rotary_factor", Kind::kShare},
    {"/rope_parameters/factor", Kind::kNumber},
    {"/rope_parameters/low_freq_factor", Kind::kNumber},
    {"/rope_parameters/high_freq_factor", Kind::kNumber},
    {"/rope_parameters/original_max_position_embeddings", Kind::kSize},
    {"/rope_parameters/full_attention", Kind::kObject},
    {"/rope_parameters/sliding_attention", Kind::kObject},
    {"/rope_parameters/full_attention/rope_theta", Kind::kNumber},
    {"/rope_parameters/full_attention/rope_type", Kind::kWord},
    {"/rope_parameters/sliding_attention/rope_theta", Kind::kNumber},
    {"/rope_parameters/sliding_attention/rope_type", Kind::kWord},
};

struct Config {
  std::string name;
  std::string tiny;  // whose weights it is for
  Json json;
  std::set<std::string> unread = {};
  std::string nested = "";
};

// With layer_types nothing else is asked for windows.
std::vector<Config> Published() {
  const std::set<std::string> qwen = {"/max_window_layers", "/use_sliding_window"};
  std::vector<Config> configs = {{.tiny = "gemma2"},
                                 {.tiny = "gemma3", .unread = {"/_sliding_window_pattern"}},
                                 {.tiny = "gpt2"},
                                 {.tiny = "llama-gqa"},
                                 {.tiny = "llama3-rope"},
                                 {.tiny = "mistral-swa"},
                                 {.tiny = "phi3", .unread = {"/original_max_position_embeddings"}},
                                 {.tiny = "qwen2", .unread = qwen},
                                 {.tiny = "qwen3", .unread = qwen}};
  for (Config& config : configs) {
    config.name = absl::StrCat("config.json of ", config.tiny);
    config.json = TinyJson(config.tiny);
  }
  return configs;
}

// The same models as transformers 4 wrote them: no layer_types, speeds of rotation beside the dims.
std::vector<Config> Older() {
  std::vector<Config> configs;
  const auto add = [&](const std::string& tiny, const char* fields) -> Config& {
    Json json = TinyJson(tiny);
    json.erase("rope_parameters");
    json.erase("layer_types");
    json.erase("_sliding_window_pattern");
    json.update(Json::parse(fields));
    configs.push_back({.name = "config.json, older", .tiny = tiny, .json = json});
    return configs.back();
  };
  add("llama-gqa", R"({"rope_theta": 10000.0, "rope_scaling": {"type": "linear", "factor": 2.0},
                       "quantization_config": null, "eos_token_id": [1, 2]})");
  add("llama3-rope", R"({"rope_theta": 500000.0, "original_max_position_embeddings": 64,
                         "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                                          "high_freq_factor": 4.0, "original_max_position_embeddings": 32}})");
  add("gemma2", R"({"rope_theta": 10000.0, "rope_scaling": null, "_sliding_window_pattern": 2})");
  add("gemma3",
      R"({"rope_theta": 1000000.0, "rope_local_base_freq": 10000.0, "sliding_window_pattern": 6,
                    "rope_scaling": {"rope_type": "linear", "factor": 8.0}})");
  add("phi3",
      R"({"rope_theta": 10000.0, "rope_scaling": null, "partial_rotary_factor": 0.5, "sliding_window": 12})")
      .unread = {"/original_max_position_embeddings"};
  add("qwen2",
      R"({"rope_theta": 1000000.0, "use_sliding_window": true, "sliding_window": 12, "max_window_layers": 1})");
  // Of several modes, with the decoder one level down.
  Config several = configs[3];
  Json text = several.json;
  text.erase("model_type");
  several.json = {{"architectures", {"Gemma3ForConditionalGeneration"}},
                  {"model_type", "gemma3"},
                  {"quantization_config", nullptr},
                  {"vision_config", {{"hidden_size", 1152}, {"rope_theta", 1}}},
                  {"text_config", text}};
  several.json["text_config"]["model_type"] = "gemma3_text";
  several.unread = {"/text_config/model_type"};
  several.nested = "text_config";
  configs.push_back(several);
  return configs;
}

TEST(ConfigCorruption, EveryField) {
  const FieldKinds kinds(kPatterns);
  std::vector<Config> configs = Published();
  for (Config& config : Older()) configs.push_back(std::move(config));
  for (const Config& config : configs) {
    const ModelFolder folder(config.tiny);
    CheckAll({.file = folder.File("config.json"),
              .json = config.json,
              .kinds = &kinds,
              .load = folder.Loader("config.json"),
              .unread = config.unread,
              .nested = config.nested},
             config.name);
  }
  kinds.ExpectAllMatched();
}

// A family whose tensors are all there takes those of another: what it leaves is told. All others
// miss some, or have them in another shape.
TEST(ConfigCorruption, TypesOfOtherModels) {
  const std::map<std::string, std::set<absl::string_view>> within = {
      {"gemma2", {"llama", "mistral"}},
      {"gemma3_text", {"llama", "mistral", "gemma2", "gemma3", "qwen3"}},
      {"gpt2", {}},
      {"llama", {"mistral"}},
      {"mistral", {"llama"}},
      {"phi3", {}},
      {"qwen2", {"llama", "mistral"}},
      {"qwen3", {"llama", "mistral"}}};
  for (const Config& config : Published()) {
    const ModelFolder folder(config.tiny);
    Tally tally(config.name, folder.File(""));
    const std::string own = config.json["model_type"].get<std::string>();
    for (const Family& family : AllFamilies()) {
      for (const absl::string_view type : family.model_types) {
        if (type == own) continue;
        const std::string name = absl::StrCat(config.tiny, " as ", type);
        const absl::Status outcome = folder.Loader("config.json")(
            With(config.json, Json::json_pointer("/model_type"), Json(std::string(type)).dump()));
        const bool is_within = within.at(own).contains(type);
        tally.Check(name, 0, outcome,
                    {.verdict = is_within ? Verdict::kValid : Verdict::kRefused, .offset = false});
        if (!outcome.ok()) continue;
        const auto model = LoadModel(folder.File(""), {.tokenizer = false});
        ASSERT_TRUE(model.ok()) << model.status();
        const bool same = own == "llama" || own == "mistral" || type == "gemma3";
        EXPECT_EQ(model->unused_tensors.empty(), same) << name;
      }
    }
  }
}

TEST(ConfigCorruption, AnotherShapeThanTheWeights) {
  const ModelFolder folder("llama-gqa");
  const Json config = TinyJson("llama-gqa");
  const auto load = folder.Loader("config.json");
  Tally tally("config.json of llama-gqa", folder.File(""));
  for (const char* key : {"hidden_size", "intermediate_size", "num_hidden_layers", "head_dim",
                          "num_key_value_heads", "num_attention_heads", "vocab_size"}) {
    const int64_t value = config[key].get<int64_t>();
    for (const int64_t other : {value * 2, value + 1, int64_t{10'000}, int64_t{1} << 24}) {
      const auto where = Json::json_pointer(absl::StrCat("/", key));
      tally.Check(absl::StrCat(key, " = ", other), 0,
                  load(With(config, where, absl::StrCat(other))), {.offset = false});
    }
  }
}

}  // namespace
}  // namespace weft::corruption
