// The small JSON files of a model's folder; config.json and tokenizer.json have tests of their own.
#include <gtest/gtest.h>

#include "frontends/model_test_util.h"
#include "tests/corruption/json_fields.h"
#include "tests/corruption/model_folder.h"

namespace weft::corruption {
namespace {

using Json = nlohmann::ordered_json;

TEST(JsonCorruption, GenerationConfig) {
  const ModelFolder folder("llama-gqa");
  const FieldKinds kinds({{"/bos_token_id", Kind::kIds},
                          {"/eos_token_id", Kind::kIds},
                          {"/eos_token_id/*", Kind::kId},
                          {"/do_sample", Kind::kFlag},
                          {"/temperature", Kind::kNumber},
                          {"/top_p", Kind::kShare},
                          {"/min_p", Kind::kShare},
                          {"/repetition_penalty", Kind::kNumber},
                          {"/top_k", Kind::kId}});
  const Json json = Json::parse(
      R"({"bos_token_id": 0, "eos_token_id": [1, 2], "pad_token_id": 0, "do_sample": true, "top_k": 50,
          "temperature": 0.7, "top_p": 0.9, "min_p": 0.05, "repetition_penalty": 1.1, "max_length": 4096,
          "transformers_version": "4.0", "nested": {"a": [1, {"b": null}]}})");
  const std::string file = "generation_config.json";
  CheckAll({.file = folder.File(file), .json = json, .kinds = &kinds, .load = folder.Loader(file)},
           file);
  kinds.ExpectAllMatched();
}

TEST(JsonCorruption, TokenizerConfig) {
  const ModelFolder folder("llama-gqa");
  const FieldKinds kinds({{"/bos_token", Kind::kToken},
                          {"/bos_token/content", Kind::kText},
                          {"/eos_token", Kind::kToken},
                          {"/chat_template", Kind::kTemplate}});
  const Json json = Json::parse(
      R"({"bos_token": {"__type": "AddedToken", "content": "<s>", "lstrip": false}, "eos_token": "</s>",
          "unk_token": null, "chat_template": "{{ messages }}", "model_max_length": 1e30,
          "added_tokens_decoder": {"0": {"content": "<s>"}}, "clean_up_tokenization_spaces": false})");
  const std::string file = "tokenizer_config.json";
  CheckAll({.file = folder.File(file), .json = json, .kinds = &kinds, .load = folder.Loader(file)},
           file);
  kinds.ExpectAllMatched();
}

TEST(JsonCorruption, ShardIndex) {
  const ModelFolder folder("llama-gqa", "model-1.safetensors");
  const FieldKinds kinds({{"/weight_map", Kind::kObject}, {"/weight_map/*", Kind::kFileName}});
  Json json = {{"metadata", {{"total_size", 1}}}, {"weight_map", Json::object()}};
  for (const TestTensor& tensor : TinyTensors("llama-gqa"))
    json["weight_map"][tensor.name] = "model-1.safetensors";
  const std::string file = "model.safetensors.index.json";
  CheckAll({.file = folder.File(file), .json = json, .kinds = &kinds, .load = folder.Loader(file)},
           file);
  kinds.ExpectAllMatched();
}

}  // namespace
}  // namespace weft::corruption
