// The vocabulary in a GGUF file's metadata.
#pragma once

#include "absl/status/statusor.h"
#include "frontends/gguf_metadata.h"
#include "runtime/text/tokenizer_gguf.h"

namespace weft {

// tokenizer.ggml.* as they stand; the tokenizer checks what they say. Errors name file and key:
// no vocabulary, or a value of another type.
absl::StatusOr<GgufVocabulary> ReadGgufVocabulary(const GgufMetadata& metadata);

}  // namespace weft
