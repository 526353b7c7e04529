// The metadata of a GGUF file that describes its model
// (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, "LLM").
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "frontends/decoder_config.h"
#include "frontends/gguf.h"

namespace weft {

// `name` opens the messages. Beside the metadata it looks at which tensors there are (biases, an
// output matrix of its own, the vocabulary's size) and reads one: rope_freqs.weight, the divisors
// of Llama 3's rotation speeds. Errors: an unknown architecture (lists the known ones), a missing
// key, a value of the wrong type or out of range, or one that does not go with another, by its key;
// what changes the computation and is not supported (rope scaling other than linear, experts, heads
// that differ from layer to layer), by name; a file that has only a vocabulary.
absl::StatusOr<DecoderConfig> ParseGgufConfig(const GgufFile& file, const std::string& name);

}  // namespace weft
