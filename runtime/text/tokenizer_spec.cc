#include "runtime/text/tokenizer_spec.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "runtime/text/tokenizer_fields.h"
#include "runtime/text/utf8.h"

namespace weft {
namespace {

using nlohmann::json;

constexpr std::string_view kFormat = "weft-tokenizer";
constexpr int kVersion = 1;
// An added token is compared with the text at every position where its first byte stands, so its
// length bounds the work.
constexpr size_t kMaxAddedTokenBytes = 4096;

json AddedTokenToJson(const AddedToken& token) {
  json value = {{"id", token.id}, {"content", token.content}};
  if (token.special) value["special"] = true;
  if (token.lstrip) value["lstrip"] = true;
  if (token.rstrip) value["rstrip"] = true;
  if (token.single_word) value["single_word"] = true;
  if (token.normalized) value["normalized"] = true;
  if (token.pattern != token.content) value["pattern"] = token.pattern;
  return value;
}

absl::StatusOr<AddedToken> AddedTokenFromJson(const json& value, const std::string& where) {
  JsonFields fields(value, where);
  AddedToken token;
  token.id = static_cast<int32_t>(fields.RequiredInt("id", 0, kMaxVocabulary - 1));
  token.content = fields.RequiredString("content");
  token.special = fields.Bool("special", false);
  token.lstrip = fields.Bool("lstrip", false);
  token.rstrip = fields.Bool("rstrip", false);
  token.single_word = fields.Bool("single_word", false);
  token.normalized = fields.Bool("normalized", false);
  token.pattern = fields.String("pattern", token.content.c_str());
  if (!fields.status().ok()) return fields.status();
  return token;
}

// The numbers of an array, each a whole number of int32.
std::vector<int32_t> ReadIds(JsonFields* fields, const char* key) {
  const json& array = fields->RequiredArray(key);
  std::vector<int32_t> ids;
  ids.reserve(array.size());
  for (const json& value : array) {
    if (!value.is_number_integer() || value.get<int64_t>() < 0 ||
        value.get<int64_t>() >= kMaxVocabulary) {
      fields->Fail(
          absl::StrCat("'", key, "' holds something that is no token id at index ", ids.size()));
      return {};
    }
    ids.push_back(value.get<int32_t>());
  }
  return ids;
}

int32_t ReadOptionalId(JsonFields* fields, const char* key) {
  if (fields->Find(key) == nullptr) return -1;
  return static_cast<int32_t>(fields->RequiredInt(key, 0, kMaxVocabulary - 1));
}

void ReadTokens(JsonFields* fields, TokenizerSpec* spec) {
  for (const json& token : fields->RequiredArray("tokens")) {
    if (!token.is_string()) {
      fields->Fail(absl::StrCat("tokens[", spec->tokens.size(), "] is no string"));
      return;
    }
    spec->tokens.push_back(token.get_ref<const std::string&>());
  }
  for (const char digit : fields->RequiredString("types")) {
    if (digit < '0' || digit > '7') {
      fields->Fail(absl::StrCat("'types' has an unknown type at index ", spec->types.size()));
      return;
    }
    spec->types.push_back(static_cast<TokenType>(digit - '0'));
  }
  if (spec->merging == TokenizerSpec::Merging::kScored) {
    for (const json& score : fields->RequiredArray("scores")) {
      if (!score.is_number()) {
        fields->Fail(absl::StrCat("scores[", spec->scores.size(), "] is no number"));
        return;
      }
      spec->scores.push_back(score.get<float>());
    }
    return;
  }
  const std::vector<int32_t> ids = ReadIds(fields, "merges");
  if (ids.size() % 2 != 0) fields->Fail("'merges' must hold pairs of ids");
  for (size_t i = 0; i + 1 < ids.size(); i += 2) spec->merges.emplace_back(ids[i], ids[i + 1]);
}

}  // namespace

absl::Status ValidateTokenizerSpec(const TokenizerSpec& spec, const std::string& name) {
  const auto fail = [&](auto&&... parts) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": ", parts...));
  };
  const size_t size = spec.tokens.size();
  if (size == 0) return fail("the vocabulary is empty");
  if (size > kMaxVocabulary) {
    return fail("the vocabulary has ", size, " tokens; the most is ", kMaxVocabulary);
  }
  if (spec.types.size() != size) {
    return fail(spec.types.size(), " token types for ", size, " tokens");
  }
  const bool scored = spec.merging == TokenizerSpec::Merging::kScored;
  if (scored && spec.scores.size() != size) {
    return fail(spec.scores.size(), " scores for ", size, " tokens");
  }
  for (size_t i = 0; i < size; ++i) {
    if (!IsValidUtf8(spec.tokens[i])) return fail("token ", i, " is not valid UTF-8");
    if (scored && !std::isfinite(spec.scores[i])) {
      return fail("the score of token ", i, " is not finite");
    }
  }
  const auto in_range = [&](int32_t id) { return id >= 0 && static_cast<size_t>(id) < size; };
  for (size_t i = 0; i < spec.merges.size(); ++i) {
    if (!in_range(spec.merges[i].first) || !in_range(spec.merges[i].second)) {
      return fail("merge ", i, " names a token id beyond the vocabulary of ", size);
    }
  }
  for (const AddedToken& token : spec.added_tokens) {
    if (!in_range(token.id)) {
      return fail("added token '", token.content, "' has id ", token.id,
                  ", beyond the vocabulary of ", size);
    }
    if (token.pattern.empty()) return fail("added token ", token.id, " is empty");
    if (token.pattern.size() > kMaxAddedTokenBytes) {
      return fail("added token ", token.id, " has ", token.pattern.size(), " bytes; the most is ",
                  kMaxAddedTokenBytes);
    }
    if (!IsValidUtf8(token.pattern)) {
      return fail("added token ", token.id, " is not valid UTF-8");
    }
  }
  for (const std::vector<int32_t>* ids : {&spec.prefix, &spec.suffix}) {
    for (const int32_t id : *ids) {
      if (!in_range(id)) {
        return fail("token ", id, " is to be put around the text but the vocabulary has ", size);
      }
    }
  }
  const std::pair<const char*, int32_t> named[] = {{"unknown", spec.unk_id},
                                                   {"BOS", spec.special_ids.bos},
                                                   {"EOS", spec.special_ids.eos},
                                                   {"padding", spec.special_ids.pad}};
  for (const auto& [what, id] : named) {
    if (id != -1 && !in_range(id)) {
      return fail("the ", what, " token id ", id, " is beyond the vocabulary of ", size);
    }
  }
  return absl::OkStatus();
}

std::string SpecToJson(const TokenizerSpec& spec, const SpecialIds& ids) {
  const bool scored = spec.merging == TokenizerSpec::Merging::kScored;
  json value = {{"format", kFormat}, {"version", kVersion}, {"tokens", spec.tokens}};
  value["merging"] = scored ? "scored" : "ranked";
  std::string types;
  types.reserve(spec.types.size());
  for (const TokenType type : spec.types)
    types.push_back(static_cast<char>('0' + int{static_cast<uint8_t>(type)}));
  value["types"] = std::move(types);
  if (scored) {
    value["scores"] = spec.scores;
  } else {
    json::array_t merges;
    merges.reserve(spec.merges.size() * 2);
    for (const auto& [left, right] : spec.merges) {
      merges.emplace_back(left);
      merges.emplace_back(right);
    }
    value["merges"] = std::move(merges);
  }
  if (spec.fuse_unk) value["fuse_unk"] = true;
  if (spec.byte_fallback) value["byte_fallback"] = true;
  if (spec.ignore_merges) value["ignore_merges"] = true;
  value["normalizer"] = spec.normalizer;
  value["pre_tokenizer"] = spec.pre_tokenizer;
  value["decoder"] = spec.decoder;
  json::array_t added;
  for (const AddedToken& token : spec.added_tokens) added.push_back(AddedTokenToJson(token));
  value["added_tokens"] = std::move(added);
  value["prefix"] = spec.prefix;
  value["suffix"] = spec.suffix;
  const std::pair<const char*, int32_t> named[] = {
      {"unk", spec.unk_id}, {"bos", ids.bos}, {"eos", ids.eos}, {"pad", ids.pad}};
  for (const auto& [key, id] : named) {
    if (id != -1) value[key] = id;
  }
  return value.dump();
}

absl::StatusOr<TokenizerSpec> SpecFromJson(std::string_view text, const std::string& name) {
  absl::StatusOr<json> value = ParseTokenizerJson(text, name);
  if (!value.ok()) return value.status();
  JsonFields fields(*value, absl::StrCat(name, ":"));
  if (fields.String("format", "") != kFormat) {
    fields.Fail(absl::StrCat("'format' must be '", ToAbsl(kFormat), "'"));
  }
  fields.RequiredInt("version", kVersion, kVersion);
  TokenizerSpec spec;
  const std::string merging = fields.RequiredString("merging");
  if (merging == "scored") {
    spec.merging = TokenizerSpec::Merging::kScored;
  } else if (merging != "ranked") {
    fields.Fail(absl::StrCat("unknown merging '", merging, "' (ranked or scored)"));
  }
  ReadTokens(&fields, &spec);
  spec.fuse_unk = fields.Bool("fuse_unk", false);
  spec.byte_fallback = fields.Bool("byte_fallback", false);
  spec.ignore_merges = fields.Bool("ignore_merges", false);
  const auto component = [&](const char* key) {
    const json* found = fields.Find(key);
    return found == nullptr ? json() : *found;
  };
  spec.normalizer = component("normalizer");
  spec.pre_tokenizer = component("pre_tokenizer");
  spec.decoder = component("decoder");
  const json& added = fields.RequiredArray("added_tokens");
  for (size_t i = 0; i < added.size(); ++i) {
    absl::StatusOr<AddedToken> token = AddedTokenFromJson(added[i], fields.Path("added_tokens", i));
    if (!token.ok()) return token.status();
    spec.added_tokens.push_back(*std::move(token));
  }
  spec.prefix = ReadIds(&fields, "prefix");
  spec.suffix = ReadIds(&fields, "suffix");
  spec.unk_id = ReadOptionalId(&fields, "unk");
  spec.special_ids.bos = ReadOptionalId(&fields, "bos");
  spec.special_ids.eos = ReadOptionalId(&fields, "eos");
  spec.special_ids.pad = ReadOptionalId(&fields, "pad");
  if (!fields.status().ok()) return fields.status();
  if (absl::Status status = ValidateTokenizerSpec(spec, name); !status.ok()) return status;
  return spec;
}

}  // namespace weft
