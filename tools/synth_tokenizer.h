// tokenizer.json of a model that `weft synth` writes.
#pragma once

#include <string>

#include "tools/synth_shape.h"

namespace weft::tools {

// A byte-level BPE tokenizer of exactly shape.vocab tokens: any text tokenises and comes back. The
// special tokens have the ids of the shape; then the 256 bytes; then words of lower-case letters,
// each made by the merge of two shorter ones: pairs, triples, and so on until the vocabulary is
// full.
std::string SynthTokenizerJson(const SynthShape& shape);

}  // namespace weft::tools
