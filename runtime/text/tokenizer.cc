#include "runtime/text/tokenizer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/base/status_macros.h"
#include "runtime/text/bpe.h"
#include "runtime/text/make_tokenizer_image.h"
#include "runtime/text/normalizer.h"
#include "runtime/text/pre_tokenizer.h"
#include "runtime/text/text_budget.h"
#include "runtime/text/tokenizer_added.h"
#include "runtime/text/tokenizer_decoder.h"
#include "runtime/text/tokenizer_image.h"
#include "runtime/text/tokenizer_json.h"
#include "runtime/text/utf8.h"

namespace weft {

// The parts point into `image`, so this is built in place and never moved.
struct Tokenizer::Tables {
  Tables(std::shared_ptr<const void> owner_of_bytes, TokenizerImage read)
      : owner(std::move(owner_of_bytes)), image(std::move(read)), model(image) {}

  std::shared_ptr<const void> owner;  // of the image's bytes
  TokenizerImage image;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  BpeModel model;
  AddedVocabulary added;
  Decoder decoder;
  std::vector<bool> special;  // by id
};

Tokenizer::Tokenizer(std::shared_ptr<const Tables> tables)
    : tables_(std::move(tables)), special_ids_(tables_->image.settings().special_ids) {}

absl::StatusOr<Tokenizer> Tokenizer::FromImage(std::string_view image,
                                               std::shared_ptr<const void> owner,
                                               const std::string& name) {
  absl::StatusOr<TokenizerImage> read = TokenizerImage::Read(image, name);
  if (!read.ok()) return read.status();
  auto tables = std::make_shared<Tables>(std::move(owner), *std::move(read));
  const TokenizerSettings& settings = tables->image.settings();
  PatternBudget patterns;
  absl::StatusOr<Normalizer> normalizer =
      Normalizer::Create(settings.normalizer, absl::StrCat(name, ": normalizer"), patterns);
  if (!normalizer.ok()) return normalizer.status();
  tables->normalizer = *std::move(normalizer);
  absl::StatusOr<PreTokenizer> pre_tokenizer =
      PreTokenizer::Create(settings.pre_tokenizer, absl::StrCat(name, ": pre_tokenizer"), patterns);
  if (!pre_tokenizer.ok()) return pre_tokenizer.status();
  tables->pre_tokenizer = *std::move(pre_tokenizer);
  absl::StatusOr<Decoder> decoder =
      Decoder::Create(settings.decoder, absl::StrCat(name, ": decoder"), patterns);
  if (!decoder.ok()) return decoder.status();
  tables->decoder = *std::move(decoder);
  tables->added = AddedVocabulary(settings.added_tokens);
  tables->special.resize(tables->image.size());
  for (const AddedToken& token : settings.added_tokens) {
    if (token.special) tables->special[token.id] = true;
  }
  return Tokenizer(std::move(tables));
}

absl::StatusOr<Tokenizer> Tokenizer::FromSpec(absl::StatusOr<TokenizerSpec> spec,
                                              const std::string& name) {
  if (!spec.ok()) return spec.status();
  absl::StatusOr<std::string> image = MakeTokenizerImage(*spec, name);
  if (!image.ok()) return image.status();
  const auto owner = std::make_shared<const std::string>(*std::move(image));
  return FromImage(*owner, owner, name);
}

absl::StatusOr<Tokenizer> Tokenizer::FromTokenizerJson(std::string_view text,
                                                       const std::string& name) {
  return FromSpec(SpecFromTokenizerJson(text, name), name);
}

absl::StatusOr<Tokenizer> Tokenizer::FromGgufVocabulary(GgufVocabulary vocabulary,
                                                        const std::string& name) {
  return FromSpec(SpecFromGgufVocabulary(std::move(vocabulary), name), name);
}

std::string Tokenizer::ToImage() const { return tables_->image.BytesWith(special_ids_); }

absl::StatusOr<std::vector<int32_t>> Tokenizer::Encode(std::string_view text,
                                                       EncodeOptions options) const {
  if (text.size() > kMaxTextBytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("a text of ", text.size(), " bytes is too long to tokenise"));
  }
  std::string repaired;
  if (!IsValidUtf8(text)) {
    repaired = RepairUtf8(text);
    text = repaired;
  }
  TextBudget budget(text.size());
  std::vector<int32_t> ids;
  if (options.add_special) ids = tables_->image.settings().prefix;
  WEFT_ASSIGN_OR_RETURN(
      const std::vector<AddedVocabulary::Segment> segments,
      tables_->added.Split(text, AddedVocabulary::Phase::kRaw, options.parse_special, budget));
  for (const AddedVocabulary::Segment& segment : segments) {
    if (segment.id >= 0) {
      ids.push_back(segment.id);
      continue;
    }
    const bool at_start = segment.text.data() == text.data();
    absl::Status status = EncodePlain(segment.text, at_start, options.parse_special, budget, &ids);
    if (!status.ok()) return status;
  }
  if (options.add_special) {
    ids.insert(ids.end(), tables_->image.settings().suffix.begin(),
               tables_->image.settings().suffix.end());
  }
  return ids;
}

absl::Status Tokenizer::EncodePlain(std::string_view text, bool at_start, bool parse_special,
                                    TextBudget& budget, std::vector<int32_t>* ids) const {
  const absl::StatusOr<std::string> normalized =
      tables_->normalizer.Apply(std::string(text), budget);
  if (!normalized.ok()) return normalized.status();
  budget.Spend(normalized->size());
  WEFT_ASSIGN_OR_RETURN(const std::vector<AddedVocabulary::Segment> segments,
                        tables_->added.Split(*normalized, AddedVocabulary::Phase::kNormalized,
                                             parse_special, budget));
  for (const AddedVocabulary::Segment& segment : segments) {
    if (segment.id >= 0) {
      ids->push_back(segment.id);
      continue;
    }
    const absl::StatusOr<Words> words = tables_->pre_tokenizer.Split(
        std::string(segment.text), at_start && segment.text.data() == normalized->data(), budget);
    if (!words.ok()) return words.status();
    budget.Spend(words->bytes());
    absl::Status status = tables_->model.Encode(*words, budget, ids);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

std::string Tokenizer::Decode(absl::Span<const int32_t> ids, bool skip_special) const {
  std::string text;
  Decoder::Stream stream(tables_->decoder, Decoder::ByteRuns::kWhole);
  for (const int32_t id : ids) {
    if (!HasToken(id) || (skip_special && IsSpecial(id))) continue;
    stream.Add(tables_->image.token(id), &text);
  }
  stream.Finish(&text);
  return text;
}

std::string Tokenizer::TokenBytes(int32_t id) const {
  TextBudget budget(size_t{64} << 10, /*seconds=*/5e-3);  // a thousand times what any takes
  return TokenBytes(id, budget);
}

std::string Tokenizer::TokenBytes(int32_t id, TextBudget& budget) const {
  return tables_->decoder.TokenBytes(TokenText(id), budget);
}

std::string_view Tokenizer::TokenText(int32_t id) const {
  return HasToken(id) ? tables_->image.token(id) : std::string_view();
}

std::optional<int32_t> Tokenizer::TokenToId(std::string_view text) const {
  if (text.empty()) return std::nullopt;
  const std::vector<AddedToken>& added = tables_->image.settings().added_tokens;
  for (auto token = added.rbegin(); token != added.rend(); ++token) {
    if (token->content == text) return token->id;
  }
  for (int32_t id = vocab_size() - 1; id >= 0; --id) {
    if (tables_->image.token(id) == text) return id;
  }
  return std::nullopt;
}

bool Tokenizer::IsSpecial(int32_t id) const { return HasToken(id) && tables_->special[id]; }

bool Tokenizer::HasToken(int32_t id) const {
  return id >= 0 && static_cast<size_t>(id) < tables_->image.size() &&
         tables_->image.type(id) != TokenType::kAbsent;
}

int32_t Tokenizer::vocab_size() const { return static_cast<int32_t>(tables_->image.size()); }

absl::Span<const int32_t> Tokenizer::prefix() const { return tables_->image.settings().prefix; }

absl::Span<const int32_t> Tokenizer::suffix() const { return tables_->image.settings().suffix; }

absl::Status Tokenizer::SetSpecialIds(std::optional<int32_t> bos, std::optional<int32_t> eos) {
  for (const std::optional<int32_t> id : {bos, eos}) {
    if (id.has_value() && !HasToken(*id)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "special token id ", *id, " is not in the vocabulary of ", vocab_size(), " tokens"));
    }
  }
  if (bos.has_value()) special_ids_.bos = *bos;
  if (eos.has_value()) special_ids_.eos = *eos;
  return absl::OkStatus();
}

const Decoder& Tokenizer::decoder() const { return tables_->decoder; }

}  // namespace weft
