#include "runtime/text/tokenizer_spec.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "runtime/base/clear_json.h"
#include "runtime/base/json_reader.h"
#include "runtime/text/terminal_text.h"
#include "runtime/text/tokenizer_fields.h"
#include "runtime/text/utf8.h"

namespace weft {
namespace {

using nlohmann::json;

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

}  // namespace

absl::Status ValidateIds(const TokenizerSettings& settings, size_t size, const std::string& name) {
  const auto fail = [&](auto&&... parts) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": ", parts...));
  };
  const auto in_range = [&](int32_t id) { return id >= 0 && static_cast<size_t>(id) < size; };
  if (settings.prefix.size() + settings.suffix.size() > kMaxIdsAround)
    return fail("more than ", kMaxIdsAround, " tokens are to be put around the text");
  for (const std::vector<int32_t>* ids : {&settings.prefix, &settings.suffix}) {
    for (const int32_t id : *ids) {
      if (!in_range(id)) {
        return fail("token ", id, " is to be put around the text but the vocabulary has ", size);
      }
    }
  }
  const std::pair<const char*, int32_t> named[] = {{"unknown", settings.unk_id},
                                                   {"BOS", settings.special_ids.bos},
                                                   {"EOS", settings.special_ids.eos},
                                                   {"padding", settings.special_ids.pad}};
  for (const auto& [what, id] : named) {
    if (id != -1 && !in_range(id)) {
      return fail("the ", what, " token id ", id, " is beyond the vocabulary of ", size);
    }
  }
  return absl::OkStatus();
}

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
    if (spec.tokens[i].size() > kMaxTokenBytes) {
      return fail("token ", i, " has ", spec.tokens[i].size(), " bytes; the most is ",
                  kMaxTokenBytes);
    }
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
      return fail("added token ", QuotedText(token.content), " has id ", token.id,
                  ", beyond the vocabulary of ", size);
    }
    if (token.pattern.empty()) return fail("added token ", token.id, " is empty");
    if (const size_t bytes = std::max(token.content.size(), token.pattern.size());
        bytes > kMaxTokenBytes) {
      return fail("added token ", token.id, " has ", bytes, " bytes; the most is ", kMaxTokenBytes);
    }
    if (!IsValidUtf8(token.pattern)) {
      return fail("added token ", token.id, " is not valid UTF-8");
    }
  }
  return ValidateIds(spec, size, name);
}

std::string SettingsToJson(const TokenizerSettings& settings, const SpecialIds& ids) {
  const bool scored = settings.merging == TokenizerSettings::Merging::kScored;
  json value = {{"merging", scored ? "scored" : "ranked"},
                {"normalizer", settings.normalizer},
                {"pre_tokenizer", settings.pre_tokenizer},
                {"decoder", settings.decoder},
                {"prefix", settings.prefix},
                {"suffix", settings.suffix}};
  if (settings.fuse_unk) value["fuse_unk"] = true;
  if (settings.byte_fallback) value["byte_fallback"] = true;
  if (settings.ignore_merges) value["ignore_merges"] = true;
  const std::pair<const char*, int32_t> named[] = {
      {"unk", settings.unk_id}, {"bos", ids.bos}, {"eos", ids.eos}, {"pad", ids.pad}};
  for (const auto& [key, id] : named) {
    if (id != -1) value[key] = id;
  }
  return value.dump();
}

absl::StatusOr<TokenizerSettings> SettingsFromJson(std::string_view text, const std::string& name) {
  absl::StatusOr<json> value = ParseJson(absl::string_view(text.data(), text.size()), name);
  if (!value.ok()) return value.status();
  const ClearsJson clears(*value);
  JsonFields fields(*value, absl::StrCat(name, ":"));
  TokenizerSettings settings;
  const std::string merging = fields.RequiredString("merging");
  if (merging == "scored") {
    settings.merging = TokenizerSettings::Merging::kScored;
  } else if (merging != "ranked") {
    fields.Fail(absl::StrCat("unknown merging ", QuotedText(merging), " (ranked or scored)"));
  }
  settings.fuse_unk = fields.Bool("fuse_unk", false);
  settings.byte_fallback = fields.Bool("byte_fallback", false);
  settings.ignore_merges = fields.Bool("ignore_merges", false);
  const auto component = [&](const char* key) {
    return fields.Find(key) == nullptr ? json() : std::move((*value)[key]);
  };
  settings.normalizer = component("normalizer");
  settings.pre_tokenizer = component("pre_tokenizer");
  settings.decoder = component("decoder");
  settings.prefix = ReadIds(&fields, "prefix");
  settings.suffix = ReadIds(&fields, "suffix");
  settings.unk_id = ReadOptionalId(&fields, "unk");
  settings.special_ids.bos = ReadOptionalId(&fields, "bos");
  settings.special_ids.eos = ReadOptionalId(&fields, "eos");
  settings.special_ids.pad = ReadOptionalId(&fields, "pad");
  if (!fields.status().ok()) return fields.status();
  return settings;
}

}  // namespace weft
