// What a command does with a model that was accepted.
#pragma once

#include "frontends/model.h"

namespace weft::fuzz {

// Prints the graph, reads the start and the end of each weight, and puts text through the
// tokenizer and the chat template.
void UseModel(const Model& model);
void UseTokenizer(const Tokenizer& tokenizer);
void UseChatTemplate(absl::string_view source);

}  // namespace weft::fuzz
