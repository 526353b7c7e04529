#include "runtime/text/tokenizer_json.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "runtime/base/json_reader.h"
#include "runtime/text/normalizer.h"
#include "runtime/text/terminal_text.h"
#include "runtime/text/tokenizer_fields.h"
#include "runtime/text/utf8.h"

namespace weft {
namespace {

using nlohmann::json;
using TokenIds = absl::flat_hash_map<std::string_view, int32_t>;

// Ids need not be dense, but a table of all ids must stay in proportion to the file: of so many
// tokens, ids are below this.
constexpr int64_t kMaxHoles = 65536;
int64_t IdLimit(size_t tokens) {
  return std::min(kMaxVocabulary, 2 * static_cast<int64_t>(tokens) + kMaxHoles);
}

// The keys of `ids` are views into the vocabulary's JSON object.
absl::Status ReadVocabulary(JsonFields* model, TokenizerSpec* spec, TokenIds* ids) {
  const json& vocab = model->RequiredObject("vocab");
  if (!model->status().ok()) return model->status();
  const int64_t limit = IdLimit(vocab.size());
  const auto fail = [&](auto&&... parts) {
    model->Fail(absl::StrCat("vocab: ", parts...));
    return model->status();
  };
  ids->reserve(vocab.size());
  int64_t size = 0;
  for (const auto& [token, value] : vocab.get_ref<const json::object_t&>()) {
    const int64_t id = value.is_number_integer() ? value.get<int64_t>() : -1;
    if (id < 0 || id >= limit) {
      return fail("the id of ", QuotedText(token), " must be a whole number from 0 to ", limit - 1);
    }
    ids->emplace(token, static_cast<int32_t>(id));
    size = std::max(size, id + 1);
  }
  spec->tokens.resize(size);
  spec->types.resize(size, TokenType::kAbsent);
  for (const auto& [token, id] : *ids) {
    if (spec->types[id] != TokenType::kAbsent) {
      return fail(QuotedText(ToAbsl(token)), " and ", QuotedText(spec->tokens[id]),
                  " have the same id ", id);
    }
    spec->tokens[id] = token;
    spec->types[id] = TokenType::kNormal;
  }
  return absl::OkStatus();
}

absl::Status ReadMerges(JsonFields* model, const TokenIds& ids, TokenizerSpec* spec) {
  const json& merges = model->RequiredArray("merges");
  if (!model->status().ok()) return model->status();
  spec->merges.reserve(merges.size());
  for (size_t i = 0; i < merges.size(); ++i) {
    const json& merge = merges[i];
    std::string_view left;
    std::string_view right;
    if (merge.is_string()) {
      const std::string_view text = merge.get_ref<const std::string&>();
      const size_t blank = text.find(' ');
      if (blank != std::string_view::npos && text.find(' ', blank + 1) == std::string_view::npos) {
        left = text.substr(0, blank);
        right = text.substr(blank + 1);
      }
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
               merge[1].is_string()) {
      left = merge[0].get_ref<const std::string&>();
      right = merge[1].get_ref<const std::string&>();
    }
    const auto left_id = ids.find(left);
    const auto right_id = ids.find(right);
    if (left.empty() || right.empty()) {
      model->Fail(absl::StrCat("merges[", i, "] must be \"a b\" or [\"a\", \"b\"]"));
      return model->status();
    }
    if (left_id == ids.end() || right_id == ids.end()) {
      model->Fail(absl::StrCat(
          "merges[", i, "] of ", QuotedText(ToAbsl(left)), " and ", QuotedText(ToAbsl(right)), ": ",
          QuotedText(ToAbsl(left_id == ids.end() ? left : right)), " is not in the vocabulary"));
      return model->status();
    }
    spec->merges.emplace_back(left_id->second, right_id->second);
  }
  return absl::OkStatus();
}

absl::Status ReadModel(JsonFields* model, TokenizerSpec* spec, TokenIds* ids) {
  // Files from before the field existed are BPE if they have merges.
  const std::string type = model->String("type", model->Find("merges") != nullptr ? "BPE" : "");
  if (model->status().ok() && type != "BPE") {
    return absl::UnimplementedError(absl::StrCat(
        model->where(), ": tokenizer model ", QuotedText(type), " is not supported; only BPE is"));
  }
  for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!model->String(affix, "").empty()) {
      model->Fail(absl::StrCat("'", affix, "' is not supported"));
    }
  }
  if (const json* dropout = model->Find("dropout");
      dropout != nullptr && (!dropout->is_number() || dropout->get<double>() != 0)) {
    model->Fail("'dropout' must be null: encoding would be random");
  }
  spec->fuse_unk = model->Bool("fuse_unk", false);
  spec->byte_fallback = model->Bool("byte_fallback", false);
  spec->ignore_merges = model->Bool("ignore_merges", false);
  if (absl::Status status = ReadVocabulary(model, spec, ids); !status.ok()) {
    return status;
  }
  if (absl::Status status = ReadMerges(model, *ids, spec); !status.ok()) return status;
  if (const std::string unk = model->String("unk_token", ""); !unk.empty()) {
    const auto id = ids->find(unk);
    if (id == ids->end()) {
      model->Fail(absl::StrCat("unk_token ", QuotedText(unk), " is not in the vocabulary"));
    } else {
      spec->unk_id = id->second;
    }
  }
  return model->status();
}

// Appends to spec->added_tokens; tokens that the model does not have extend the vocabulary.
absl::Status ReadAddedToken(const json& value, const std::string& where, const TokenIds& ids,
                            int64_t id_limit, const Normalizer& normalizer, TextBudget& budget,
                            TokenizerSpec* spec) {
  JsonFields fields(value, where);
  AddedToken token;
  token.content = fields.RequiredString("content");
  token.special = fields.Bool("special", false);
  token.lstrip = fields.Bool("lstrip", false);
  token.rstrip = fields.Bool("rstrip", false);
  token.single_word = fields.Bool("single_word", false);
  token.normalized = fields.Bool("normalized", !token.special);
  token.id = static_cast<int32_t>(fields.RequiredInt("id", 0, id_limit - 1));
  if (!fields.status().ok()) return fields.status();
  // Hugging Face ignores a token without text, and takes the model's id where the two disagree.
  if (token.content.empty()) return absl::OkStatus();
  if (const auto known = ids.find(token.content); known != ids.end()) {
    token.id = known->second;
  } else {
    const auto id = static_cast<size_t>(token.id);
    if (id >= spec->tokens.size()) {
      spec->tokens.resize(id + 1);
      spec->types.resize(id + 1, TokenType::kAbsent);
    }
    if (spec->types[id] != TokenType::kAbsent && spec->tokens[id] != token.content) {
      fields.Fail(absl::StrCat(QuotedText(token.content), " has id ", id, ", which is ",
                               QuotedText(spec->tokens[id]), " already"));
      return fields.status();
    }
    spec->tokens[id] = token.content;
    spec->types[id] = TokenType::kAddedOnly;
  }
  token.pattern = token.content;
  if (token.normalized) {
    absl::StatusOr<std::string> pattern = normalizer.Apply(token.content, budget);
    if (!pattern.ok()) {
      fields.Fail(pattern.status().message());
      return fields.status();
    }
    budget.Spend(pattern->size());
    if (pattern->empty()) return absl::OkStatus();  // nothing in a normalised text can match it
    token.pattern = *std::move(pattern);
  }
  spec->added_tokens.push_back(std::move(token));
  return absl::OkStatus();
}

absl::Status ReadTemplate(JsonFields* fields, TokenizerSpec* spec) {
  const json& single = fields->RequiredArray("single");
  JsonFields specials(fields->RequiredObject("special_tokens"), fields->Path("special_tokens"));
  if (!fields->status().ok()) return fields->status();
  std::vector<int32_t> prefix;
  std::vector<int32_t> suffix;
  const size_t around = spec->prefix.size() + spec->suffix.size();  // of templates before this
  bool after_text = false;
  for (size_t i = 0; i < single.size(); ++i) {
    JsonFields item(single[i], fields->Path("single", i));
    if (item.Find("Sequence") != nullptr) {
      if (after_text) item.Fail("the text stands in the template twice");
      after_text = true;
    } else {
      JsonFields special(item.RequiredObject("SpecialToken"), item.Path("SpecialToken"));
      const std::string name = special.RequiredString("id");
      if (!special.status().ok()) return special.status();
      JsonFields entry(specials.RequiredObject(name.c_str()),
                       specials.Path(TerminalText(name, 120)));
      if (!specials.status().ok()) return specials.status();
      for (const json& id : entry.RequiredArray("ids")) {
        if (!id.is_number_integer() || id.get<int64_t>() < 0 ||
            id.get<int64_t>() >= kMaxVocabulary) {
          entry.Fail("'ids' holds something that is no token id");
          break;
        }
        (after_text ? suffix : prefix).push_back(id.get<int32_t>());
        if (around + prefix.size() + suffix.size() > kMaxIdsAround) {
          item.Fail(
              absl::StrCat("more than ", kMaxIdsAround, " tokens are to be put around the text"));
          return item.status();
        }
      }
      if (!entry.status().ok()) return entry.status();
    }
    if (!item.status().ok()) return item.status();
  }
  spec->prefix.insert(spec->prefix.begin(), prefix.begin(), prefix.end());
  spec->suffix.insert(spec->suffix.end(), suffix.begin(), suffix.end());
  return absl::OkStatus();
}

absl::Status ReadPostProcessor(const json& config, const std::string& where, int depth,
                               TokenizerSpec* spec) {
  JsonFields fields(config, where);
  const std::string type = fields.RequiredString("type");
  if (!fields.status().ok()) return fields.status();
  if (type == "TemplateProcessing") return ReadTemplate(&fields, spec);
  if (type == "ByteLevel") return absl::OkStatus();  // moves offsets only
  if (type != "Sequence") {
    return absl::UnimplementedError(
        absl::StrCat(where, ": unknown post-processor ", QuotedText(type),
                     " (known: Sequence, TemplateProcessing, ByteLevel)"));
  }
  if (depth >= kMaxSequenceDepth) fields.Fail("sequences nested too deeply");
  const json& list = fields.RequiredArray("processors");
  if (!fields.status().ok()) return fields.status();
  for (size_t i = 0; i < list.size(); ++i) {
    absl::Status status = ReadPostProcessor(list[i], fields.Path("processors", i), depth + 1, spec);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TokenizerSpec> SpecFromTokenizerJson(std::string_view text,
                                                    const std::string& name) {
  absl::StatusOr<json> parsed = ParseJson(absl::string_view(text.data(), text.size()), name);
  if (!parsed.ok()) return parsed.status();
  JsonFields file(*parsed, absl::StrCat(name, ":"));
  JsonFields model(file.RequiredObject("model"), file.Path("model"));
  if (!file.status().ok()) return file.status();
  TokenizerSpec spec;
  TokenIds ids;
  if (absl::Status status = ReadModel(&model, &spec, &ids); !status.ok()) return status;
  const auto component = [&](const char* key) {
    const json* found = file.Find(key);
    return found == nullptr ? json() : *found;
  };
  spec.normalizer = component("normalizer");
  spec.pre_tokenizer = component("pre_tokenizer");
  spec.decoder = component("decoder");
  absl::StatusOr<Normalizer> normalizer =
      Normalizer::Create(spec.normalizer, file.Path("normalizer"));
  if (!normalizer.ok()) return normalizer.status();
  if (file.Find("added_tokens") != nullptr) {
    const json& added = file.RequiredArray("added_tokens");
    // Kept, and each byte is a place of a search, so that all of them together may be as much as
    // the file. Known normalisers enlarge no token to twice its size, which is but a part of it.
    TextBudget budget(text.size() + (size_t{64} << 10), TextBudget::SecondsFor(text.size()));
    const int64_t id_limit = IdLimit(ids.size() + added.size());
    for (size_t i = 0; i < added.size(); ++i) {
      absl::Status status = ReadAddedToken(added[i], file.Path("added_tokens", i), ids, id_limit,
                                           *normalizer, budget, &spec);
      if (!status.ok()) return status;
    }
  }
  if (const json* processor = file.Find("post_processor"); processor != nullptr) {
    absl::Status status = ReadPostProcessor(*processor, file.Path("post_processor"), 0, &spec);
    if (!status.ok()) return status;
  }
  if (!file.status().ok()) return file.status();
  if (spec.prefix.size() == 1) spec.special_ids.bos = spec.prefix.front();
  if (spec.suffix.size() == 1) spec.special_ids.eos = spec.suffix.front();
  if (absl::Status status = ValidateTokenizerSpec(spec, name); !status.ok()) return status;
  return spec;
}

}  // namespace weft
