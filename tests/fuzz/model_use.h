// What a command does with a model that was accepted.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "frontends/model.h"
#include "ir/module.h"
#include "passes/options.h"

namespace weft::fuzz {

// Prints the graph, makes a program of it, reads the start and the end of each weight, and puts
// text through the tokenizer and the chat template.
void UseModel(const Model& model);
// All passes, with options that the graph's text, `printed`, chooses; gives those back.
absl::StatusOr<passes::PassOptions> UsePasses(ir::Module* module, absl::string_view printed,
                                              int64_t context);
// Chooses the kernels for every target, as `weft why` does with the IR of a plan, where the module
// is as the last pass leaves it for such options.
void BuildWherePlanned(const ir::Module& module, passes::PassOptions options);
// Texts of its own, and the start of `prompt`: a prompt may come from a stranger too.
void UseTokenizer(const Tokenizer& tokenizer, absl::string_view prompt = "");
void UseChatTemplate(absl::string_view source);

}  // namespace weft::fuzz
