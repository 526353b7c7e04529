// What the tests of the tokenizers share: the oracle's files, and vocabularies as a GGUF file would
// hold them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "runtime/text/tokenizer.h"

namespace weft {

// Relative to the source folder, where ctest runs the tests.
inline std::string ReadTestFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << path << " (tests run in the source folder)";
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

struct VectorRow {
  std::string text;
  std::vector<int32_t> ids;  // without BOS and EOS
  std::string decoded;       // with special tokens
};

inline std::vector<VectorRow> ReadVectors(const std::string& name) {
  std::vector<VectorRow> rows;
  const auto json = nlohmann::json::parse(
      ReadTestFile("tests/oracle/vectors/tokenizer-" + name + ".json"), nullptr, false);
  for (const auto& row : json) {
    rows.push_back({row.at("text").get<std::string>(), row.at("ids").get<std::vector<int32_t>>(),
                    row.at("decoded").get<std::string>()});
  }
  EXPECT_GE(rows.size(), 30U) << name;
  return rows;
}

inline std::string VectorTokenizerPath(const std::string& name) {
  return "tests/oracle/vectors/" + name + ".tokenizer.json";
}

// The vocabulary of a byte-level tokenizer.json as the GGUF converters write it.
inline GgufVocabulary GgufFromTokenizerJson(const std::string& path, const std::string& pre) {
  const auto json = nlohmann::json::parse(ReadTestFile(path), nullptr, false);
  const auto& model = json.at("model");
  GgufVocabulary vocabulary;
  vocabulary.model = "gpt2";
  vocabulary.pre = pre;
  vocabulary.tokens.resize(model.at("vocab").size());
  for (const auto& [token, id] : model.at("vocab").items()) {
    vocabulary.tokens.at(id.get<size_t>()) = token;
  }
  vocabulary.token_types.assign(vocabulary.tokens.size(), 1);
  for (const auto& token : json.at("added_tokens")) {
    vocabulary.token_types.at(token.at("id").get<size_t>()) =
        token.at("special").get<bool>() ? 3 : 4;
  }
  for (const auto& merge : model.at("merges")) {
    vocabulary.merges.push_back(merge.at(0).get<std::string>() + " " +
                                merge.at(1).get<std::string>());
  }
  return vocabulary;
}

// Gemma 3's GGUF vocabulary, reduced to the pieces that the vectors' texts can reach (see
// runtime/text/testdata/make_gemma3_pieces.py), with the metadata of that file.
inline GgufVocabulary Gemma3Excerpt() {
  GgufVocabulary vocabulary;
  vocabulary.model = "llama";
  vocabulary.pre = "default";
  constexpr size_t kVocabulary = 262144;
  vocabulary.tokens.resize(kVocabulary);
  vocabulary.scores.resize(kVocabulary);
  vocabulary.token_types.assign(kVocabulary, 5);
  const auto rows = nlohmann::json::parse(ReadTestFile("runtime/text/testdata/gemma3_pieces.json"),
                                          nullptr, false);
  for (const auto& row : rows) {
    const auto id = row.at(0).get<size_t>();
    vocabulary.token_types.at(id) = row.at(1).get<int32_t>();
    vocabulary.scores.at(id) = row.at(2).get<float>();
    vocabulary.tokens.at(id) = row.at(3).get<std::string>();
  }
  vocabulary.bos_id = 2;
  vocabulary.eos_id = 1;
  vocabulary.unk_id = 3;
  vocabulary.pad_id = 0;
  vocabulary.add_bos = true;
  vocabulary.add_eos = false;
  vocabulary.add_space_prefix = false;
  return vocabulary;
}

// A small byte-level tokenizer.json: the 256 bytes, the merges of " the", and two added tokens.
inline nlohmann::json SmallTokenizerJson() {
  auto json = nlohmann::json::parse(R"({
    "version": "1.0", "truncation": null, "padding": null,
    "added_tokens": [
      {"id": 260, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false,
       "normalized": false, "special": true},
      {"id": 261, "content": "<tool>", "single_word": false, "lstrip": false, "rstrip": true,
       "normalized": true, "special": false}],
    "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}]},
    "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
      {"type": "Split", "pattern": {"Regex": "\\p{N}{1,3}"}, "behavior": "Isolated", "invert": false},
      {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}]},
    "post_processor": {"type": "Sequence", "processors": [
      {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true},
      {"type": "TemplateProcessing",
       "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
       "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [260], "tokens": ["<s>"]}}}]},
    "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
    "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
      "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
      "vocab": {"th": 256, "the": 257, "\u0120the": 258, "in": 259},
      "merges": [["t", "h"], "th e", ["\u0120", "the"], "i n"]}})");
  int next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable =
        (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    const int code = printable ? byte : next++;
    std::string character;
    if (code < 0x80) {
      character = static_cast<char>(code);
    } else {
      character = {static_cast<char>(0xC0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3F))};
    }
    json["model"]["vocab"][character] = byte;
  }
  return json;
}

// `json` with every single value in turn replaced by something of another kind, or taken away. Of a
// vocabulary's hundreds of entries only the first few are.
inline std::vector<nlohmann::json> Damaged(const nlohmann::json& json) {
  const nlohmann::json junk[] = {nullptr,
                                 true,
                                 7,
                                 -1,
                                 1e300,
                                 18446744073709551615U,
                                 "x",
                                 "",
                                 nlohmann::json::array(),
                                 nlohmann::json::object(),
                                 nlohmann::json::array({1, "a", nullptr})};
  std::vector<nlohmann::json> out;
  std::vector<std::string> paths;
  const nlohmann::json flat = json.flatten();
  for (const auto& [path, value] : flat.items()) {
    for (size_t end = path.size(); end != std::string::npos && end > 0;
         end = path.rfind('/', end - 1)) {
      paths.push_back(path.substr(0, end));
    }
  }
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  size_t of_vocabulary = 0;
  for (const std::string& path : paths) {
    const bool in_vocabulary = path.starts_with("/model/vocab/") || path.starts_with("/tokens/") ||
                               path.starts_with("/merges/");
    if (in_vocabulary && ++of_vocabulary > 4) continue;
    const nlohmann::json::json_pointer pointer(path);
    for (const nlohmann::json& value : junk) {
      out.push_back(json);
      out.back()[pointer] = value;
    }
    out.push_back(json);
    nlohmann::json& parent = out.back()[pointer.parent_pointer()];
    if (parent.is_object()) {
      parent.erase(pointer.back());
    } else {
      parent.erase(std::stoul(pointer.back()));
    }
  }
  return out;
}

}  // namespace weft
