// Reads tokenizer.json of Hugging Face tokenizers (BPE models only).
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "runtime/text/tokenizer_spec.h"

namespace weft {

// The parts of a tokenizer.json, validated; the component fields (normalizer, pre_tokenizer,
// decoder) are carried as they stand. InvalidArgument that begins with `name` and names the field
// for what is malformed, and Unimplemented for a model type or post-processor that is none of ours.
// BOS and EOS are those that the post-processor puts around a text, if any. "truncation" and
// "padding" are for batches and are ignored.
absl::StatusOr<TokenizerSpec> SpecFromTokenizerJson(std::string_view text, const std::string& name);

}  // namespace weft
