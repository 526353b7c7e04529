#include "runtime/text/tokenizer_gguf.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "runtime/text/pre_tokenizer.h"
#include "runtime/text/terminal_text.h"
#include "runtime/text/utf8.h"

namespace weft {
namespace {

using nlohmann::json;

constexpr std::string_view kSpaceMarker = "\u2581";

// Patterns as the models' tokenizer.json have them. Several in one row apply one after the other,
// each to the pieces that the one before left.
constexpr std::string_view kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
    R"(\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
    R"(\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen35 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}|)"
    R"( ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kTekken =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kGpt4o =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|)"
    R"(\s+(?!\S)|\s+)";
constexpr std::string_view kDeepseek3 =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|)"
    R"( ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

struct PreTokenizerRow {
  std::string_view name;
  std::vector<std::string_view> patterns;
  bool ignore_merges = false;
  bool add_bos = false;
  bool nfc = false;  // the model's tokenizer.json normalises; GGUF has no key for that
};

const std::vector<PreTokenizerRow>& PreTokenizerRows() {
  const std::string_view gpt2 = Gpt2Pattern();
  static const auto* const rows = new std::vector<PreTokenizerRow>{
      {.name = "chatglm-bpe", .patterns = {kLlama3}},
      {.name = "command-r", .patterns = {R"(\p{N})", gpt2}},
      {.name = "dbrx", .patterns = {kLlama3}},
      {.name = "deepseek-coder",
       .patterns = {R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)", "[一-龥ࠀ-一가-퟿]+",
                    R"(\p{N})"}},
      {.name = "deepseek-r1-qwen", .patterns = {kQwen2}},
      {.name = "deepseek-v3",
       .patterns = {R"(\p{N}{1,3})", "[一-龥぀-ゟ゠-ヿ]+", kDeepseek3}},
      {.name = "default",
       .patterns = {R"([\p{P}\$\+<=>\^~\|]+)", gpt2, R"(\p{N}+)", "[0-9][0-9][0-9]"}},
      {.name = "exaone4", .patterns = {gpt2}},
      {.name = "falcon", .patterns = {R"([\p{P}\$\+<=>\^~\|`]+)", gpt2, "[0-9][0-9][0-9]"}},
      {.name = "falcon3", .patterns = {kLlama3}, .ignore_merges = true, .add_bos = true},
      {.name = "glm4", .patterns = {kLlama3}},
      {.name = "gpt-2", .patterns = {gpt2}},
      {.name = "gpt-4o", .patterns = {kGpt4o}},
      {.name = "lfm2", .patterns = {kLlama3}, .ignore_merges = true, .add_bos = true},
      {.name = "llama-bpe", .patterns = {kLlama3}, .ignore_merges = true, .add_bos = true},
      {.name = "llama-v3", .patterns = {kLlama3}, .ignore_merges = true, .add_bos = true},
      {.name = "llama3", .patterns = {kLlama3}, .ignore_merges = true, .add_bos = true},
      {.name = "llama4", .patterns = {kGpt4o}},
      {.name = "megrez", .patterns = {kQwen2}},
      {.name = "mpt", .patterns = {gpt2}},
      {.name = "olmo", .patterns = {gpt2}},
      {.name = "phi-2", .patterns = {gpt2}},
      {.name = "pixtral", .patterns = {kLlama3}, .ignore_merges = true, .add_bos = true},
      {.name = "qwen2", .patterns = {kQwen2}, .nfc = true},
      {.name = "qwen35", .patterns = {kQwen35}, .nfc = true},
      {.name = "refact", .patterns = {R"(\p{N})", gpt2}},
      {.name = "smaug-bpe", .patterns = {kLlama3}},
      {.name = "smollm", .patterns = {R"(\p{N})", gpt2}},
      {.name = "stablelm2", .patterns = {kQwen2}},
      {.name = "starcoder", .patterns = {R"(\p{N})", gpt2}},
      {.name = "tekken", .patterns = {kTekken}, .ignore_merges = true, .add_bos = true},
  };
  return *rows;
}

absl::StatusOr<std::vector<TokenType>> ReadTypes(const GgufVocabulary& vocabulary,
                                                 const std::string& name) {
  const size_t size = vocabulary.tokens.size();
  std::vector<TokenType> types(size, TokenType::kNormal);
  if (vocabulary.token_types.empty()) return types;
  if (vocabulary.token_types.size() != size) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": tokenizer.ggml.token_type has ",
                                                   vocabulary.token_types.size(), " entries for ",
                                                   size, " tokens"));
  }
  for (size_t i = 0; i < size; ++i) {
    const int32_t type = vocabulary.token_types[i];
    if (type < 0 || type > static_cast<int32_t>(TokenType::kByte)) {
      return absl::InvalidArgumentError(absl::StrCat(name, ": tokenizer.ggml.token_type[", i,
                                                     "] is ", type, "; the types are 1 to 6"));
    }
    // 0 is "undefined"; such a token is read as a normal one.
    if (type != 0) types[i] = static_cast<TokenType>(type);
  }
  return types;
}

absl::Status ReadMerges(const GgufVocabulary& vocabulary, const std::string& name,
                        TokenizerSpec* spec) {
  if (vocabulary.merges.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": tokenizer.ggml.merges is missing; a gpt2 tokenizer needs it"));
  }
  absl::flat_hash_map<std::string_view, int32_t> ids;
  ids.reserve(spec->tokens.size());
  for (size_t i = 0; i < spec->tokens.size(); ++i) {
    if (spec->types[i] == TokenType::kNormal || spec->types[i] == TokenType::kUserDefined) {
      ids[spec->tokens[i]] = static_cast<int32_t>(i);
    }
  }
  spec->merges.reserve(vocabulary.merges.size());
  for (size_t i = 0; i < vocabulary.merges.size(); ++i) {
    const std::string_view merge = vocabulary.merges[i];
    const size_t blank = merge.find(' ', 1);
    const auto left = ids.find(merge.substr(0, blank));
    const auto right =
        blank == std::string_view::npos ? ids.end() : ids.find(merge.substr(blank + 1));
    if (left == ids.end() || right == ids.end()) {
      return absl::InvalidArgumentError(absl::StrCat(name, ": tokenizer.ggml.merges[", i, "] ",
                                                     QuotedText(ToAbsl(merge)),
                                                     " is not two tokens with a blank between"));
    }
    spec->merges.emplace_back(left->second, right->second);
  }
  return absl::OkStatus();
}

absl::Status FillByteLevel(const GgufVocabulary& vocabulary, const std::string& name,
                           TokenizerSpec* spec, bool* default_bos) {
  const std::string_view pre =
      vocabulary.pre.empty() ? "default" : std::string_view(vocabulary.pre);
  const std::vector<PreTokenizerRow>& rows = PreTokenizerRows();
  const auto row = std::find_if(rows.begin(), rows.end(),
                                [&](const PreTokenizerRow& r) { return r.name == pre; });
  if (row == rows.end()) {
    return absl::UnimplementedError(
        absl::StrCat(name, ": unknown tokenizer.ggml.pre ", QuotedText(ToAbsl(pre)),
                     " (known: ", absl::StrJoin(KnownGgufPreTokenizers(), ", "), ")"));
  }
  if (absl::Status status = ReadMerges(vocabulary, name, spec); !status.ok()) return status;
  spec->ignore_merges = row->ignore_merges;
  *default_bos = row->add_bos;
  if (row->nfc) spec->normalizer = {{"type", "NFC"}};
  json steps = json::array();
  for (const std::string_view pattern : row->patterns) {
    steps.push_back({{"type", "Split"},
                     {"pattern", {{"Regex", pattern}}},
                     {"behavior", "Isolated"},
                     {"invert", false}});
  }
  steps.push_back({{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}});
  spec->pre_tokenizer = {{"type", "Sequence"}, {"pretokenizers", std::move(steps)}};
  spec->decoder = {{"type", "ByteLevel"}};
  return absl::OkStatus();
}

absl::Status FillSentencePiece(GgufVocabulary* vocabulary, const std::string& name,
                               TokenizerSpec* spec) {
  if (vocabulary->scores.size() != spec->tokens.size()) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": tokenizer.ggml.scores has ",
                                                   vocabulary->scores.size(), " entries for ",
                                                   spec->tokens.size(), " tokens"));
  }
  spec->merging = TokenizerSpec::Merging::kScored;
  spec->scores = std::move(vocabulary->scores);
  const json marker = {{"String", kSpaceMarker}};
  json normalizers = json::array();
  json decoders = {{{"type", "Replace"}, {"pattern", marker}, {"content", " "}},
                   {{"type", "ByteFallback"}},
                   {{"type", "Fuse"}}};
  if (vocabulary->add_space_prefix.value_or(true)) {
    normalizers.push_back({{"type", "Prepend"}, {"prepend", kSpaceMarker}});
    decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  }
  normalizers.push_back(
      {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", kSpaceMarker}});
  spec->normalizer = {{"type", "Sequence"}, {"normalizers", std::move(normalizers)}};
  spec->decoder = {{"type", "Sequence"}, {"decoders", std::move(decoders)}};
  return absl::OkStatus();
}

void FillAddedTokens(TokenizerSpec* spec) {
  const bool sentence_piece = spec->merging == TokenizerSpec::Merging::kScored;
  for (size_t i = 0; i < spec->tokens.size(); ++i) {
    const TokenType type = spec->types[i];
    const bool special = type == TokenType::kControl || type == TokenType::kUnknown;
    if ((!special && type != TokenType::kUserDefined) || spec->tokens[i].empty()) continue;
    AddedToken token;
    token.id = static_cast<int32_t>(i);
    token.content = spec->tokens[i];
    token.special = special;
    token.pattern = token.content;
    // Gemma's runs of blanks stand in the file as blanks or as markers, and SentencePiece finds
    // them where a text has either.
    if (sentence_piece && !special) {
      token.pattern = absl::StrReplaceAll(token.content, {{" ", ToAbsl(kSpaceMarker)}});
      token.normalized = token.pattern.find(kSpaceMarker) != std::string::npos;
    }
    spec->added_tokens.push_back(std::move(token));
  }
}

absl::StatusOr<int32_t> ReadId(int64_t id, size_t size, const char* key, const std::string& name) {
  if (id == -1) return -1;
  if (id < 0 || static_cast<uint64_t>(id) >= size) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": tokenizer.ggml.", key, " is ", id,
                                                   " but the vocabulary has ", size, " tokens"));
  }
  return static_cast<int32_t>(id);
}

}  // namespace

std::vector<std::string> KnownGgufPreTokenizers() {
  std::vector<std::string> names;
  for (const PreTokenizerRow& row : PreTokenizerRows()) names.emplace_back(row.name);
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<TokenizerSpec> SpecFromGgufVocabulary(GgufVocabulary vocabulary,
                                                     const std::string& name) {
  const size_t size = vocabulary.tokens.size();
  if (size == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": tokenizer.ggml.tokens is missing or empty"));
  }
  TokenizerSpec spec;
  absl::StatusOr<std::vector<TokenType>> types = ReadTypes(vocabulary, name);
  if (!types.ok()) return types.status();
  spec.types = *std::move(types);
  const std::pair<int64_t, std::pair<const char*, int32_t*>> ids[] = {
      {vocabulary.bos_id, {"bos_token_id", &spec.special_ids.bos}},
      {vocabulary.eos_id, {"eos_token_id", &spec.special_ids.eos}},
      {vocabulary.unk_id, {"unknown_token_id", &spec.unk_id}},
      {vocabulary.pad_id, {"padding_token_id", &spec.special_ids.pad}}};
  for (const auto& [id, target] : ids) {
    const absl::StatusOr<int32_t> checked = ReadId(id, size, target.first, name);
    if (!checked.ok()) return checked.status();
    *target.second = *checked;
  }
  spec.tokens = std::move(vocabulary.tokens);
  bool default_bos = true;
  absl::Status status;
  if (vocabulary.model == "llama") {
    status = FillSentencePiece(&vocabulary, name, &spec);
  } else if (vocabulary.model == "gpt2") {
    spec.unk_id = -1;  // every byte has a token; a file whose alphabet has gaps loses those bytes,
                       // as elsewhere
    status = FillByteLevel(vocabulary, name, &spec, &default_bos);
  } else {
    status = absl::UnimplementedError(absl::StrCat(name, ": unknown tokenizer.ggml.model ",
                                                   QuotedText(vocabulary.model),
                                                   " (known: gpt2, llama)"));
  }
  if (!status.ok()) return status;
  FillAddedTokens(&spec);
  if (vocabulary.add_bos.value_or(default_bos) && spec.special_ids.bos >= 0) {
    spec.prefix.push_back(spec.special_ids.bos);
  }
  if (vocabulary.add_eos.value_or(false) && spec.special_ids.eos >= 0)
    spec.suffix.push_back(spec.special_ids.eos);
  status = ValidateTokenizerSpec(spec, name);
  if (!status.ok()) return status;
  return spec;
}

}  // namespace weft
