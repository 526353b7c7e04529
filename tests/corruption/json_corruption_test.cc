#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "frontends/model.h"
#include "frontends/model_test_util.h"
#include "runtime/text/tokenizer.h"
#include "tests/corruption/corruption.h"
#include "tests/corruption/json_map.h"

namespace weft::corruption {
namespace {

using Json = nlohmann::ordered_json;

// What a field holds, after the documentation of the format.
enum class Kind : uint8_t {
  kSize,    // a whole number from 1 on that arrays have as their size
  kId,      // a token's number
  kIds,     // one or several
  kNumber,  // not negative and of this world
  kShare,   // from 0 to 1
  kFlag,
  kText,      // any
  kWord,      // one of a few
  kNothing,   // 0: anything else is not supported
  kToken,     // a text, or an object with the text
  kTemplate,  // a text, or a list of templates
  kObject,
  kList,
  kPair,  // two texts
  kFileName,
};

// Well-formed JSON that a field of the kind must not hold.
std::vector<std::string> Refused(Kind kind) {
  const std::vector<std::string> not_integers = {"1.5",
                                                 "1e3",
                                                 "-0.5",
                                                 "\"1\"",
                                                 "true",
                                                 "{}",
                                                 "1e300",
                                                 "18446744073709551616",
                                                 "-9223372036854775809"};
  std::vector<std::string> values;
  switch (kind) {
    case Kind::kSize:
      values = {"0",
                "-1",
                "[]",
                "[1]",
                "1099511627776",
                "9223372036854775807",
                "9223372036854775808",
                "18446744073709551615",
                "-9223372036854775808"};
      values.insert(values.end(), not_integers.begin(), not_integers.end());
      return values;
    case Kind::kId:
    case Kind::kIds:
      values = {"-1",
                "2147483648",
                "4294967295",
                "4294967296",
                "9223372036854775807",
                "9223372036854775808",
                "18446744073709551615",
                "-9223372036854775808",
                "[-1]",
                "[\"a\"]",
                "[[0]]",
                "[1.5]",
                "[9223372036854775808]"};
      values.insert(values.end(), not_integers.begin(), not_integers.end());
      if (kind == Kind::kId) values.insert(values.end(), {"[]", "[0]"});
      return values;
    case Kind::kNumber:
      return {"-1", "\"1\"", "true", "[]", "[1]", "{}", "1e300", "-1e300", "-18446744073709551616"};
    case Kind::kShare:
      return {"-1", "1.5", "2", "\"1\"", "true", "[]", "[1]", "{}", "1e300", "-1e300"};
    case Kind::kFlag:
      return {"0", "1", "\"true\"", "\"\"", "[]", "[true]", "{}", "0.5"};
    case Kind::kText:
      return {"0", "-1", "0.5", "true", "[]", "[\"a\"]", "{}"};
    case Kind::kWord:
      return {"0",       "-1", "0.5",  "true",         "[]",
              "[\"a\"]", "{}", "\"\"", "\"nonsense\"", "\"\\u0000\""};
    case Kind::kNothing:
      return {"-1", "0.5", "true", "[]", "[\"a\"]", "{}", "\"\"", "\"0\"", "1e300"};
    case Kind::kToken:
      return {"0", "-1", "0.5", "true", "[]", "[\"a\"]", "{\"content\": 1}", "{\"content\": []}"};
    case Kind::kTemplate:
      return {"0",
              "-1",
              "0.5",
              "true",
              "{}",
              "[0]",
              "[{}]",
              "[[]]",
              "[{\"name\": \"default\"}]",
              "[{\"name\": \"default\", \"template\": 1}]"};
    case Kind::kObject:
      return {"0", "-1", "0.5", "true", "\"\"", "[]", "[{}]"};
    case Kind::kList:
      return {"0", "-1", "0.5", "true", "\"\"", "{}", "[0]", "[[]]", "[null]"};
    case Kind::kPair:
      return {"0",
              "-1",
              "0.5",
              "true",
              "\"\"",
              "{}",
              "[]",
              "[\"a\"]",
              "[\"a\", \"b\", \"c\"]",
              "[\"a\", 1]",
              "[null, \"b\"]",
              "\"a\"",
              "\"no such\"",
              "null"};
    case Kind::kFileName:
      return {"0",
              "null",
              "true",
              "[]",
              "{}",
              "\"\"",
              "\".\"",
              "\"..\"",
              "\"/etc/passwd\"",
              "\"../model.safetensors\"",
              "\"./model.safetensors\"",
              "\"a/b.safetensors\"",
              "\"..\\\\model.safetensors\"",
              "\"model.safetensors\\u0000\"",
              "\"no-such.safetensors\"",
              "\"model.safetensors/..\"",
              "\"model\\n.safetensors\""};
  }
  return values;
}

// Well-formed values for fields that nobody reads.
const std::vector<std::string>& Anything() {
  static const std::vector<std::string> values = {"0",
                                                  "-1",
                                                  "0.5",
                                                  "1e300",
                                                  "true",
                                                  "null",
                                                  "\"\"",
                                                  "\"\\u0000\"",
                                                  "[]",
                                                  "{}",
                                                  "[[[]]]",
                                                  "{\"\": {}}",
                                                  "18446744073709551615",
                                                  "18446744073709551616",
                                                  "-9223372036854775808"};
  return values;
}

struct Document {
  std::string file;
  Json json;
  std::map<std::string, Kind> fields;  // by pointer; "*" in the place of any key or index
  std::function<absl::Status(const std::string& text)> load;
};

const Kind* KindOf(const Document& document, const Json::json_pointer& where) {
  std::string name;
  std::string any;
  Json::json_pointer rest = where;
  std::vector<std::string> parts;
  for (; !rest.empty(); rest.pop_back()) parts.insert(parts.begin(), rest.back());
  for (size_t i = 0; i < parts.size(); ++i) {
    absl::StrAppend(&name, "/", parts[i]);
    absl::StrAppend(&any, "/", i + 1 == parts.size() && i > 0 ? "*" : parts[i]);
  }
  for (const std::string& key : {name, any})
    if (const auto found = document.fields.find(key); found != document.fields.end())
      return &found->second;
  return nullptr;
}

// Below a field that Weft reads, but none itself: in no use, and not of a use that "any" covers.
bool IsBelowRead(const Document& document, Json::json_pointer where) {
  for (where.pop_back(); !where.empty(); where.pop_back())
    if (const Kind* kind = KindOf(document, where); kind != nullptr && *kind != Kind::kObject)
      return true;
  return false;
}

void CheckAll(const Document& document, const std::string& kind_name) {
  Tally tally(kind_name, document.file);
  const std::string text = document.json.dump(1);
  ASSERT_TRUE(document.load(text).ok()) << document.load(text);
  tally.Check("undamaged", text.size(), document.load(text), {.verdict = Verdict::kValid});
  for (const std::string& cut : Truncations(text, 600))
    tally.Check(absl::StrCat("truncated to ", cut.size()), text.size(), document.load(cut),
                {.offset = !cut.empty()});
  const std::vector<std::string> malformed = Malformed();
  for (const std::string& raw : malformed) {
    if (raw.empty() || raw.front() == '\xef')
      continue;  // the file that is empty has its place above
    tally.Check("the whole: " + raw.substr(0, 30), raw.size(), document.load(raw), {});
  }
  for (const char* other : {"[]", "0", "\"\"", "null", "true", "[{}]", "1.5"})
    tally.Check(absl::StrCat("the whole: ", other), 0, document.load(other), {.offset = false});

  for (const Json::json_pointer& where : ValuesOf(document.json)) {
    const std::string name = where.to_string();
    const bool is_member = document.json[where.parent_pointer()].is_object();
    for (const std::string& raw : malformed) {
      // What begins with a comma or closes the bracket around it is another document, and valid
      // where the list may hold any number.
      if (raw == "1,2" || raw.empty()) continue;
      const std::string damaged = With(document.json, where, raw);
      tally.Check(absl::StrCat(name, " = ", raw.substr(0, 30)), damaged.size(),
                  document.load(damaged), {});
    }
    if (is_member) {
      const std::string twice = Twice(document.json, where);
      tally.Check(name + " twice", twice.size(), document.load(twice), {.words = {"occurs twice"}});
    }
    const Kind* const kind = KindOf(document, where);
    if (kind != nullptr) {
      // A component of an unknown type is named, and so is the value; that it was the type goes
      // without saying.
      const bool is_own = is_member && where.back() != "type";
      const std::string word = is_own ? where.back() : where.parent_pointer().back();
      for (const std::string& raw : Refused(*kind))
        tally.Check(absl::StrCat(name, " = ", raw), 0,
                    document.load(With(document.json, where, raw)),
                    {.words = {word}, .offset = false});
    } else if (!IsBelowRead(document, where)) {
      for (const std::string& raw : Anything())
        tally.Check(absl::StrCat(name, " = ", raw), 0,
                    document.load(With(document.json, where, raw)), {.verdict = Verdict::kValid});
    }
    // A member that is null is one that is not there; but of windows null says that there is none.
    if (is_member && kind != nullptr && *kind != Kind::kFileName && *kind != Kind::kId &&
        where.back() != "sliding_window") {
      EXPECT_EQ(document.load(With(document.json, where, "null")).ok(),
                document.load(Without(document.json, where)).ok())
          << name;
    }
  }
}

// A model folder with one file of its own, the others links to a tiny model's.
class Folder {
 public:
  explicit Folder(const std::string& tiny, const std::string& weights = "model.safetensors")
      : tiny_(TinyFolder(tiny)) {
    namespace fs = std::filesystem;
    fs::create_symlink(fs::absolute(tiny_ + "/model.safetensors"), folder_.File(weights));
    fs::copy_file(tiny_ + "/config.json", folder_.File("config.json"));
  }
  std::function<absl::Status(const std::string&)> Loader(const std::string& file) {
    return [this, file](const std::string& text) {
      folder_.Write(file, text);
      return LoadModel(folder_.path(), {.tokenizer = false}).status();
    };
  }
  std::string File(const std::string& name) const { return folder_.File(name); }

 private:
  TempFolder folder_;
  std::string tiny_;
};

const std::map<std::string, Kind> kGpt2Fields = {
    {"/n_embd", Kind::kSize},
    {"/n_layer", Kind::kSize},
    {"/n_head", Kind::kSize},
    {"/n_positions", Kind::kSize},
    {"/n_inner", Kind::kSize},
    {"/vocab_size", Kind::kSize},
    {"/bos_token_id", Kind::kIds},
    {"/eos_token_id", Kind::kIds},
    {"/layer_norm_epsilon", Kind::kShare},
    {"/tie_word_embeddings", Kind::kFlag},
    {"/add_cross_attention", Kind::kFlag},
    {"/scale_attn_weights", Kind::kFlag},
    {"/scale_attn_by_inverse_layer_idx", Kind::kFlag},
    {"/activation_function", Kind::kWord},
    {"/model_type", Kind::kWord},
};

const std::map<std::string, Kind> kConfigFields = {
    {"/hidden_size", Kind::kSize},
    {"/intermediate_size", Kind::kSize},
    {"/num_hidden_layers", Kind::kSize},
    {"/num_attention_heads", Kind::kSize},
    {"/num_key_value_heads", Kind::kSize},
    {"/head_dim", Kind::kSize},
    {"/vocab_size", Kind::kSize},
    {"/max_position_embeddings", Kind::kSize},
    {"/sliding_window", Kind::kSize},
    {"/bos_token_id", Kind::kIds},
    {"/eos_token_id", Kind::kIds},
    {"/rms_norm_eps", Kind::kShare},
    {"/query_pre_attn_scalar", Kind::kNumber},
    {"/attention_bias", Kind::kFlag},
    {"/mlp_bias", Kind::kFlag},
    {"/tie_word_embeddings", Kind::kFlag},
    {"/use_bidirectional_attention", Kind::kFlag},
    {"/hidden_act", Kind::kWord},
    {"/hidden_activation", Kind::kWord},
    {"/model_type", Kind::kWord},
    {"/layer_types", Kind::kList},
    {"/layer_types/*", Kind::kWord},
    {"/attn_logit_softcapping", Kind::kNumber},
    {"/final_logit_softcapping", Kind::kNumber},
    {"/rope_parameters", Kind::kObject},
    {"/rope_parameters/rope_theta", Kind::kNumber},
    {"/rope_parameters/rope_type", Kind::kWord},
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

TEST(JsonCorruption, Config) {
  for (const std::string family : {"llama-gqa", "llama3-rope", "gemma2", "gemma3", "gpt2"}) {
    Folder folder(family);
    Document document = {
        folder.File("config.json"), Json::parse(TextOf(TinyFolder(family) + "/config.json")),
        family == "gpt2" ? kGpt2Fields : kConfigFields, folder.Loader("config.json")};
    // Some read what the others do not.
    std::erase_if(document.fields, [&](const auto& field) {
      return absl::StartsWith(family, "gemma") && field.first == "/mlp_bias";
    });
    CheckAll(document, absl::StrCat("config.json of ", family));
  }
}

TEST(JsonCorruption, ConfigOfAnotherShapeThanTheWeights) {
  Folder folder("llama-gqa");
  const Json config = Json::parse(TextOf(TinyFolder("llama-gqa") + "/config.json"));
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

TEST(JsonCorruption, GenerationConfig) {
  Folder folder("llama-gqa");
  const Json json = Json::parse(
      R"({"bos_token_id": 0, "eos_token_id": [1, 2], "pad_token_id": 0, "do_sample": true, "top_k": 50,
          "temperature": 0.7, "top_p": 0.9, "min_p": 0.05, "repetition_penalty": 1.1, "max_length": 4096,
          "transformers_version": "4.0", "nested": {"a": [1, {"b": null}]}})");
  CheckAll({folder.File("generation_config.json"),
            json,
            {{"/bos_token_id", Kind::kIds},
             {"/eos_token_id", Kind::kIds},
             {"/eos_token_id/*", Kind::kId},
             {"/do_sample", Kind::kFlag},
             {"/temperature", Kind::kNumber},
             {"/top_p", Kind::kShare},
             {"/min_p", Kind::kShare},
             {"/repetition_penalty", Kind::kNumber},
             {"/top_k", Kind::kId}},
            folder.Loader("generation_config.json")},
           "generation_config.json");
}

TEST(JsonCorruption, TokenizerConfig) {
  Folder folder("llama-gqa");
  const Json json = Json::parse(
      R"({"bos_token": {"__type": "AddedToken", "content": "<s>", "lstrip": false}, "eos_token": "</s>",
          "unk_token": null, "chat_template": "{{ messages }}", "model_max_length": 1e30,
          "added_tokens_decoder": {"0": {"content": "<s>"}}, "clean_up_tokenization_spaces": false})");
  CheckAll({folder.File("tokenizer_config.json"),
            json,
            {{"/bos_token", Kind::kToken},
             {"/bos_token/content", Kind::kText},
             {"/eos_token", Kind::kToken},
             {"/chat_template", Kind::kTemplate}},
            folder.Loader("tokenizer_config.json")},
           "tokenizer_config.json");
}

TEST(JsonCorruption, ShardIndex) {
  Folder folder("llama-gqa", "model-1.safetensors");
  Json json = {{"metadata", {{"total_size", 1}}}, {"weight_map", Json::object()}};
  for (const TestTensor& tensor : TinyTensors("llama-gqa"))
    json["weight_map"][tensor.name] = "model-1.safetensors";
  CheckAll({folder.File("model.safetensors.index.json"),
            json,
            {{"/weight_map", Kind::kObject}, {"/weight_map/*", Kind::kFileName}},
            folder.Loader("model.safetensors.index.json")},
           "model.safetensors.index.json");
}

TEST(JsonCorruption, Tokenizer) {
  const std::string file = "folder/tokenizer.json";
  Json json = Json::parse(TextOf(TinyFolder("llama-gqa") + "/tokenizer.json"));
  CheckAll({file,
            json,
            {{"/added_tokens", Kind::kList},
             {"/added_tokens/0", Kind::kObject},
             {"/added_tokens/1", Kind::kObject},
             {"/added_tokens/0/id", Kind::kId},
             {"/added_tokens/1/id", Kind::kId},
             {"/added_tokens/0/content", Kind::kText},
             {"/added_tokens/1/content", Kind::kText},
             {"/added_tokens/0/single_word", Kind::kFlag},
             {"/added_tokens/0/lstrip", Kind::kFlag},
             {"/added_tokens/0/rstrip", Kind::kFlag},
             {"/added_tokens/0/normalized", Kind::kFlag},
             {"/added_tokens/0/special", Kind::kFlag},
             {"/added_tokens/1/single_word", Kind::kFlag},
             {"/added_tokens/1/lstrip", Kind::kFlag},
             {"/added_tokens/1/rstrip", Kind::kFlag},
             {"/added_tokens/1/normalized", Kind::kFlag},
             {"/added_tokens/1/special", Kind::kFlag},
             {"/normalizer", Kind::kObject},
             {"/pre_tokenizer", Kind::kObject},
             {"/pre_tokenizer/type", Kind::kWord},
             {"/pre_tokenizer/add_prefix_space", Kind::kFlag},
             {"/pre_tokenizer/use_regex", Kind::kFlag},
             {"/post_processor", Kind::kObject},
             {"/decoder", Kind::kObject},
             {"/decoder/type", Kind::kWord},
             {"/model", Kind::kObject},
             {"/model/type", Kind::kWord},
             {"/model/unk_token", Kind::kText},
             {"/model/continuing_subword_prefix", Kind::kText},
             {"/model/end_of_word_suffix", Kind::kText},
             {"/model/dropout", Kind::kNothing},
             {"/model/fuse_unk", Kind::kFlag},
             {"/model/byte_fallback", Kind::kFlag},
             {"/model/ignore_merges", Kind::kFlag},
             {"/model/vocab", Kind::kObject},
             {"/model/vocab/*", Kind::kId},
             {"/model/merges", Kind::kList},
             {"/model/merges/*", Kind::kPair}},
            [&file](const std::string& text) {
              return Tokenizer::FromTokenizerJson(text, file).status();
            }},
           "tokenizer.json");
}

}  // namespace
}  // namespace weft::corruption
