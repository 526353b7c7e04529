#include "tools/synth_tokenizer.h"

#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/abi/check.h"
#include "runtime/text/bpe_bytes.h"

namespace weft::tools {
namespace {

std::map<int64_t, std::string> SpecialTokens(const SynthShape& shape) {
  std::map<int64_t, std::string> tokens;
  tokens[shape.eos] = "</s>";
  tokens.try_emplace(shape.bos, "<s>");
  return tokens;
}

struct Words {
  std::vector<std::string> tokens;
  std::vector<std::pair<std::string, std::string>> merges;
};

// `count` words, each the merge of a word one letter shorter with one letter, beginning with single
// letters. The first letter may be "Ġ" (U+0120), which stands for a space.
Words MakeWords(size_t count) {
  std::vector<std::string> heads = {"\xC4\xA0"};
  for (char letter = 'a'; letter <= 'z'; ++letter) heads.emplace_back(1, letter);
  Words words;
  while (words.tokens.size() < count) {
    std::vector<std::string> longer;
    for (const std::string& head : heads) {
      for (char letter = 'a'; letter <= 'z' && words.tokens.size() < count; ++letter) {
        longer.push_back(absl::StrCat(head, std::string(1, letter)));
        words.tokens.push_back(longer.back());
        words.merges.emplace_back(head, std::string(1, letter));
      }
    }
    heads = std::move(longer);
  }
  return words;
}

// The constant parts of the file.
constexpr absl::string_view kBeforeAdded =
    R"({"version":"1.0","truncation":null,"padding":null,"added_tokens":[)";
constexpr absl::string_view kBeforeVocab =
    R"(],"normalizer":null,"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true},)"
    R"("post_processor":null,"decoder":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true},)"
    R"("model":{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,"end_of_word_suffix":null,)"
    R"("fuse_unk":false,"byte_fallback":false,"ignore_merges":false,"vocab":{)";
constexpr absl::string_view kAddedFlags =
    R"("single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true})";

std::string Quoted(const std::string& text) { return nlohmann::json(text).dump(); }

}  // namespace

std::string SynthTokenizerJson(const SynthShape& shape) {
  const std::map<int64_t, std::string> special = SpecialTokens(shape);
  constexpr int64_t kBytes = 256;
  const int64_t ordinary = shape.vocab - static_cast<int64_t>(special.size());
  WEFT_CHECK(ordinary >= kBytes);
  const Words words = MakeWords(static_cast<size_t>(ordinary - kBytes));

  std::string json(kBeforeAdded);
  const char* comma = "";
  for (const auto& [id, token] : special) {
    absl::StrAppend(&json, comma, R"({"id":)", id, R"(,"content":)", Quoted(token), ",",
                    kAddedFlags);
    comma = ",";
  }
  absl::StrAppend(&json, kBeforeVocab, "\n");
  int64_t next = 0;  // of the ordinary tokens
  for (int64_t id = 0; id < shape.vocab; ++id) {
    const auto found = special.find(id);
    std::string token;
    if (found != special.end()) {
      token = found->second;
    } else if (next < kBytes) {
      AppendToByteAlphabet(std::string(1, static_cast<char>(next++)), &token);
    } else {
      token = words.tokens[static_cast<size_t>(next++ - kBytes)];
    }
    absl::StrAppend(&json, id == 0 ? "" : ",\n", Quoted(token), ":", id);
  }
  absl::StrAppend(&json, R"(},"merges":[)", "\n");
  for (size_t i = 0; i < words.merges.size(); ++i) {
    const auto& [head, letter] = words.merges[i];
    absl::StrAppend(&json, i == 0 ? "" : ",\n", Quoted(absl::StrCat(head, " ", letter)));
  }
  absl::StrAppend(&json, "]}}\n");
  return json;
}

}  // namespace weft::tools
