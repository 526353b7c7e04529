#include "frontends/gguf_vocabulary.h"

#include "absl/strings/str_cat.h"
#include "runtime/base/status_macros.h"

namespace weft {
namespace {

std::string Key(const char* name) { return absl::StrCat("tokenizer.ggml.", name); }

absl::Status ReadStrings(const GgufMetadata& metadata, const char* name,
                         std::vector<std::string>* strings) {
  WEFT_ASSIGN_OR_RETURN(const absl::Span<const absl::string_view> views,
                        metadata.GetStringArray(Key(name)));
  strings->reserve(views.size());
  for (absl::string_view view : views) strings->emplace_back(view);
  return absl::OkStatus();
}

absl::Status ReadFlag(const GgufMetadata& metadata, const char* name, std::optional<bool>* flag) {
  if (!metadata.Has(Key(name))) return absl::OkStatus();
  WEFT_ASSIGN_OR_RETURN(*flag, metadata.GetBool(Key(name)));
  return absl::OkStatus();
}

absl::Status ReadId(const GgufMetadata& metadata, const char* name, int64_t* id) {
  if (!metadata.Has(Key(name))) return absl::OkStatus();
  WEFT_ASSIGN_OR_RETURN(const std::optional<int32_t> found, metadata.GetTokenId(Key(name)));
  *id = found.value_or(-1);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<GgufVocabulary> ReadGgufVocabulary(const GgufMetadata& metadata) {
  GgufVocabulary vocabulary;
  WEFT_ASSIGN_OR_RETURN(const absl::string_view model, metadata.GetString(Key("model")));
  WEFT_ASSIGN_OR_RETURN(const absl::string_view pre, metadata.GetStringOr(Key("pre"), ""));
  vocabulary.model = std::string(model);
  vocabulary.pre = std::string(pre);
  WEFT_RETURN_IF_ERROR(ReadStrings(metadata, "tokens", &vocabulary.tokens));
  if (metadata.Has(Key("merges")))
    WEFT_RETURN_IF_ERROR(ReadStrings(metadata, "merges", &vocabulary.merges));
  if (metadata.Has(Key("scores"))) {
    WEFT_ASSIGN_OR_RETURN(vocabulary.scores, metadata.GetF32Array(Key("scores")));
  }
  if (metadata.Has(Key("token_type"))) {
    WEFT_ASSIGN_OR_RETURN(vocabulary.token_types, metadata.GetI32Array(Key("token_type")));
  }
  WEFT_RETURN_IF_ERROR(ReadId(metadata, "bos_token_id", &vocabulary.bos_id));
  WEFT_RETURN_IF_ERROR(ReadId(metadata, "eos_token_id", &vocabulary.eos_id));
  WEFT_RETURN_IF_ERROR(ReadId(metadata, "unknown_token_id", &vocabulary.unk_id));
  WEFT_RETURN_IF_ERROR(ReadId(metadata, "padding_token_id", &vocabulary.pad_id));
  WEFT_RETURN_IF_ERROR(ReadFlag(metadata, "add_bos_token", &vocabulary.add_bos));
  WEFT_RETURN_IF_ERROR(ReadFlag(metadata, "add_eos_token", &vocabulary.add_eos));
  WEFT_RETURN_IF_ERROR(ReadFlag(metadata, "add_space_prefix", &vocabulary.add_space_prefix));
  return vocabulary;
}

}  // namespace weft
