// tokenizer.json: the parts of every kind that Weft knows, in documents shaped as those of known
// models (GPT-2, Llama 2 and 3, Gemma).
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "frontends/model_test_util.h"
#include "runtime/text/tokenizer.h"
#include "tests/corruption/corruption.h"
#include "tests/corruption/json_fields.h"
#include "tests/corruption/json_map.h"

namespace weft::corruption {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kFile = "folder/tokenizer.json";

// What is taken is used as well: it must encode and decode.
absl::Status Use(const std::string& text) {
  const auto tokenizer = Tokenizer::FromTokenizerJson(text, kFile);
  if (!tokenizer.ok()) return tokenizer.status();
  const auto ids = tokenizer->Encode("<s> The the-the, 12 é\xe2\x96\x81</s>\n");
  if (!ids.ok()) return ids.status();
  (void)tokenizer->Decode(*ids, /*skip_special=*/false);
  return absl::OkStatus();
}

// Tokens of bytes, letters and three words.
Json SentencePieceModel() {
  Json model = Json::parse(R"({"type": "BPE", "dropout": null, "unk_token": "<unk>",
      "continuing_subword_prefix": null, "end_of_word_suffix": "", "fuse_unk": true,
      "byte_fallback": true, "ignore_merges": true, "vocab": {},
      "merges": [["t", "h"], "th e", ["▁", "the"]]})");
  Json& vocabulary = model["vocab"];
  const auto add = [&](const std::string& token) {
    const size_t id = vocabulary.size();
    vocabulary[token] = id;
  };
  for (const char* token : {"<unk>", "<s>", "</s>", "▁", "th", "the", "▁the"}) add(token);
  for (char letter = 'a'; letter <= 'z'; ++letter) add(std::string(1, letter));
  for (int byte = 0; byte < 256; ++byte) add(absl::StrFormat("<0x%02X>", byte));
  return model;
}

Json WithModel(const char* parts) {
  Json document = Json::parse(parts);
  document["added_tokens"] = Json::parse(
      R"([{"id": 0, "content": "<unk>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
          {"id": 1, "content": "<s>", "single_word": true, "lstrip": true, "rstrip": false, "normalized": false, "special": true},
          {"id": 2, "content": "</s>", "single_word": false, "lstrip": false, "rstrip": true, "normalized": false, "special": true},
          {"id": 300, "content": "▁ of", "single_word": true, "lstrip": true, "rstrip": true, "normalized": true, "special": false}])");
  document["model"] = SentencePieceModel();
  return document;
}

std::map<std::string, Json> Documents() {
  std::map<std::string, Json> documents;
  documents["byte level"] = Json::parse(TextOf(TinyFolder("llama-gqa") + "/tokenizer.json"));
  documents["sentencepiece"] = WithModel(R"({
      "normalizer": {"type": "Sequence", "normalizers": [
          {"type": "Prepend", "prepend": "▁"},
          {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
      "pre_tokenizer": null,
      "post_processor": {"type": "TemplateProcessing",
          "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                     {"SpecialToken": {"id": "</s>", "type_id": 0}}],
          "pair": [{"Sequence": {"id": "A", "type_id": 0}}],
          "special_tokens": {"<s>": {"id": "<s>", "ids": [1, 0], "tokens": ["<s>", "<unk>"]},
                             "</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]}}},
      "decoder": {"type": "Sequence", "decoders": [
          {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
          {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}})");
  documents["metaspace"] = WithModel(R"({
      "normalizer": {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "},
      "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "add_prefix_space": true, "prepend_scheme": "first",
                        "split": true, "str_rep": "▁"},
      "post_processor": {"type": "ByteLevel", "trim_offsets": true},
      "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": false}})");
  documents["splits"] = WithModel(R"({
      "normalizer": {"type": "Sequence", "normalizers": [
          {"type": "NFC"}, {"type": "NFKD"}, {"type": "Lowercase"},
          {"type": "Strip", "strip_left": true, "strip_right": false},
          {"type": "Sequence", "normalizers": [
              {"type": "Replace", "pattern": {"Regex": "(?i)[a-f]+\\b"}, "content": "$1"}]}]},
      "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
          {"type": "Split", "pattern": {"Regex": "(?i:'s|'t)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\s+(?!\\S)|\\s+"},
           "behavior": "Isolated", "invert": false},
          {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": true},
          {"type": "Sequence", "pretokenizers": [
              {"type": "Split", "pattern": {"Regex": "[.,]"}, "behavior": "Removed"}]},
          {"type": "WhitespaceSplit"}, {"type": "Whitespace"}, {"type": "Digits", "individual_digits": true},
          {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}]},
      "post_processor": {"type": "Sequence", "processors": [
          {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false},
          {"type": "TemplateProcessing",
           "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}],
           "special_tokens": {"<s>": {"ids": [1]}}}]},
      "decoder": {"type": "Sequence", "decoders": [
          {"type": "Strip", "content": "▁", "start": 0, "stop": 1},
          {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"Regex": "x+y"}, "content": ""}]},
          {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}]}})");
  return documents;
}

// One level of each of the lists, and that of a list in it.
std::map<std::string, Kind> Patterns() {
  std::map<std::string, Kind> patterns = {
      {"/added_tokens", Kind::kList},
      {"/added_tokens/*", Kind::kObject},
      {"/added_tokens/*/id", Kind::kId},
      {"/added_tokens/*/content", Kind::kText},
      {"/added_tokens/*/single_word", Kind::kFlag},
      {"/added_tokens/*/lstrip", Kind::kFlag},
      {"/added_tokens/*/rstrip", Kind::kFlag},
      {"/added_tokens/*/normalized", Kind::kFlag},
      {"/added_tokens/*/special", Kind::kFlag},
      {"/model", Kind::kObject},
      {"/model/type", Kind::kWord},
      {"/model/unk_token", Kind::kName},
      {"/model/continuing_subword_prefix", Kind::kText},
      {"/model/end_of_word_suffix", Kind::kText},
      {"/model/dropout", Kind::kNothing},
      {"/model/fuse_unk", Kind::kFlag},
      {"/model/byte_fallback", Kind::kFlag},
      {"/model/ignore_merges", Kind::kFlag},
      {"/model/vocab", Kind::kObject},
      {"/model/vocab/*", Kind::kId},
      {"/model/merges", Kind::kList},
      {"/model/merges/*", Kind::kPair},
  };
  const auto add_component = [&](const std::string& key, const std::string& list, bool nested,
                                 const std::vector<std::pair<std::string, Kind>>& fields) {
    const std::string step = absl::StrCat("/", key, "/", list, "/*");
    for (const std::string& level : {absl::StrCat("/", key), step}) {
      patterns[level] = Kind::kObject;
      patterns[level + "/type"] = Kind::kWord;
      if (level == step && !nested) break;
      patterns[absl::StrCat(level, "/", list)] = Kind::kList;
    }
    if (nested) {
      patterns[absl::StrCat(step, "/", list, "/*")] = Kind::kObject;
      patterns[absl::StrCat(step, "/", list, "/*/type")] = Kind::kWord;
    }
    for (const auto& [field, kind] : fields) patterns[field] = kind;
  };
  const std::string normalizer = "/normalizer/normalizers/*";
  add_component("normalizer", "normalizers", true,
                {{normalizer + "/pattern", Kind::kObject},
                 {normalizer + "/pattern/String", Kind::kSomeText},
                 {normalizer + "/content", Kind::kText},
                 {normalizer + "/prepend", Kind::kText},
                 {normalizer + "/strip_left", Kind::kFlag},
                 {normalizer + "/strip_right", Kind::kFlag},
                 {normalizer + "/normalizers/*/pattern", Kind::kObject},
                 {normalizer + "/normalizers/*/pattern/Regex", Kind::kRegex},
                 {normalizer + "/normalizers/*/content", Kind::kText},
                 {"/normalizer:Replace/pattern", Kind::kObject},
                 {"/normalizer:Replace/pattern/Regex", Kind::kRegex},
                 {"/normalizer:Replace/content", Kind::kText}});
  const std::string step = "/pre_tokenizer/pretokenizers/*";
  const std::string split = "/pre_tokenizer/pretokenizers/*:Split";
  add_component("pre_tokenizer", "pretokenizers", true,
                {{split + "/pattern", Kind::kObject},
                 {split + "/pattern/Regex", Kind::kRegex},
                 {split + "/pattern/String", Kind::kText},
                 {split + "/behavior", Kind::kWord},
                 {split + "/invert", Kind::kFlag},
                 {step + "/pretokenizers/*/pattern", Kind::kObject},
                 {step + "/pretokenizers/*/pattern/Regex", Kind::kRegex},
                 {step + "/pretokenizers/*/behavior", Kind::kWord},
                 {step + ":Digits/individual_digits", Kind::kFlag},
                 {step + ":ByteLevel/add_prefix_space", Kind::kFlag},
                 {step + ":ByteLevel/use_regex", Kind::kFlag},
                 {"/pre_tokenizer:ByteLevel/add_prefix_space", Kind::kFlag},
                 {"/pre_tokenizer:ByteLevel/use_regex", Kind::kFlag},
                 {"/pre_tokenizer:Metaspace/add_prefix_space", Kind::kFlag},
                 {"/pre_tokenizer:Metaspace/replacement", Kind::kCharacter},
                 {"/pre_tokenizer:Metaspace/prepend_scheme", Kind::kWord},
                 {"/pre_tokenizer:Metaspace/split", Kind::kFlag}});
  const std::string decoder = "/decoder/decoders/*";
  add_component("decoder", "decoders", true,
                {{decoder + ":Replace/pattern", Kind::kObject},
                 {decoder + ":Replace/pattern/String", Kind::kSomeText},
                 {decoder + ":Replace/content", Kind::kText},
                 {decoder + ":Strip/content", Kind::kCharacter},
                 {decoder + ":Strip/start", Kind::kId},
                 {decoder + ":Strip/stop", Kind::kId},
                 {decoder + "/decoders/*/pattern", Kind::kObject},
                 {decoder + "/decoders/*/pattern/Regex", Kind::kRegex},
                 {decoder + "/decoders/*/content", Kind::kText},
                 {"/decoder:Metaspace/replacement", Kind::kCharacter},
                 {"/decoder:Metaspace/prepend_scheme", Kind::kWord},
                 {"/decoder:Metaspace/split", Kind::kFlag}});
  add_component("post_processor", "processors", false, {});
  for (const std::string processor : {"/post_processor", "/post_processor/processors/*"})
    for (const auto& [field, kind] : {std::pair("single", Kind::kList),
                                      {"single/*", Kind::kObject},
                                      {"single/*/SpecialToken", Kind::kObject},
                                      {"single/*/SpecialToken/id", Kind::kName},
                                      {"single/*/Sequence", Kind::kMarker},
                                      {"special_tokens", Kind::kObject},
                                      {"special_tokens/*", Kind::kObject},
                                      {"special_tokens/*/ids", Kind::kIdList}})
      patterns[absl::StrCat(processor, ":TemplateProcessing/", field)] = kind;
  return patterns;
}

TEST(TokenizerCorruption, EveryField) {
  const FieldKinds kinds(Patterns());
  for (const auto& [name, json] : Documents())
    CheckAll({.file = kFile, .json = json, .kinds = &kinds, .load = Use, .indexed = true},
             "tokenizer.json");
  kinds.ExpectAllMatched();
}

// A component of another type than its fields are for: fields that are missing are an error that
// names the component, others are not read.
TEST(TokenizerCorruption, TypesOfOthers) {
  const std::map<std::string, std::vector<std::string>> types = {
      {"normalizer",
       {"Sequence", "NFC", "NFD", "NFKC", "NFKD", "Replace", "Prepend", "Lowercase", "Strip"}},
      {"pre_tokenizer",
       {"Sequence", "ByteLevel", "Split", "Digits", "Metaspace", "Whitespace", "WhitespaceSplit"}},
      {"post_processor", {"Sequence", "TemplateProcessing", "ByteLevel"}},
      {"decoder",
       {"Sequence", "ByteLevel", "Replace", "ByteFallback", "Fuse", "Strip", "Metaspace"}}};
  // These have no fields that must be there.
  const std::vector<std::string> bare = {"NFC",      "NFD",       "NFKC",       "NFKD",
                                         "Strip",    "Lowercase", "Whitespace", "WhitespaceSplit",
                                         "Fuse",     "ByteLevel", "Digits",     "ByteFallback",
                                         "Metaspace"};
  Tally tally("tokenizer.json", kFile);
  for (const auto& [name, json] : Documents()) {
    for (const auto& [component, of_component] : types) {
      const Json::json_pointer where("/" + component);
      if (json.value(where, Json()).is_null()) continue;
      const std::string own = json[where]["type"].get<std::string>();
      for (const std::string& type : of_component) {
        if (type == own) continue;
        const bool is_bare = std::ranges::find(bare, type) != bare.end() &&
                             !(component == "decoder" && type == "Strip");
        tally.Check(absl::StrCat(name, ": ", component, " of type ", type), 0,
                    Use(With(json, where / "type", Json(type).dump())),
                    {.verdict = is_bare ? Verdict::kValid : Verdict::kRefused,
                     .words = {component},
                     .offset = false});
      }
    }
  }
}

}  // namespace
}  // namespace weft::corruption
