#include <iostream>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/base/status_macros.h"
#include "runtime/text/text_budget.h"
#include "tools/arguments.h"
#include "tools/commands.h"

namespace weft::tools {
namespace {

struct TokenizeArguments {
  std::string model;
  bool ids = false;
  bool no_special = false;
  bool no_parse_special = false;
  bool decode = false;
};

absl::StatusOr<std::shared_ptr<const Tokenizer>> OpenTokenizer(const std::string& name) {
  WEFT_ASSIGN_OR_RETURN(const std::shared_ptr<const Plan> plan, OpenIfPlan(name));
  if (plan == nullptr) {
    WEFT_ASSIGN_OR_RETURN(const std::string path, ResolvePath(name));
    return LoadTokenizer(path);
  }
  if (plan->tokenizer().empty())
    return absl::NotFoundError(absl::StrCat(name, ": the plan has no tokenizer"));
  const absl::string_view image = plan->tokenizer();
  WEFT_ASSIGN_OR_RETURN(Tokenizer tokenizer,
                        Tokenizer::FromImage({image.data(), image.size()}, plan, name));
  return std::make_shared<const Tokenizer>(std::move(tokenizer));
}

absl::Status RunTokenize(const TokenizeArguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const std::shared_ptr<const Tokenizer> tokenizer,
                        OpenTokenizer(arguments.model));
  WEFT_ASSIGN_OR_RETURN(const std::string input, ReadStdin());
  if (arguments.decode) {
    WEFT_ASSIGN_OR_RETURN(const std::vector<int32_t> ids, ParseIds(input));
    for (int32_t id : ids) {
      if (!tokenizer->HasToken(id))
        return absl::OutOfRangeError(absl::StrCat("id ", id, " is no token of this vocabulary"));
    }
    std::cout << tokenizer->Decode(ids, /*skip_special=*/arguments.no_special);
    return absl::OkStatus();
  }
  WEFT_ASSIGN_OR_RETURN(const std::vector<int32_t> ids,
                        tokenizer->Encode(input, {.add_special = !arguments.no_special,
                                                  .parse_special = !arguments.no_parse_special}));
  if (arguments.ids) {
    std::cout << "[" << absl::StrJoin(ids, ", ") << "]\n";
    return absl::OkStatus();
  }
  TextBudget budget(input.size());
  for (int32_t id : ids) {
    std::cout << id << "\t\"" << absl::Utf8SafeCHexEscape(tokenizer->TokenBytes(id, budget))
              << "\"\n";
  }
  return absl::OkStatus();
}

}  // namespace

void AddTokenize(CLI::App* app, Command* chosen) {
  auto arguments = std::make_shared<TokenizeArguments>();
  CLI::App* command = app->add_subcommand(
      "tokenize", "tokens of the text on standard input, a line each: id and text");
  command->add_option("model", arguments->model, "a model, a vocabulary-only .gguf file, or a plan")
      ->required()
      ->type_name("MODEL|PLAN");
  auto* ids = command->add_flag("--ids", arguments->ids, "print the ids as a JSON array");
  command->add_flag("--no-special", arguments->no_special,
                    "add no BOS or EOS; with --decode, leave special tokens out");
  command->add_flag("--no-parse-special", arguments->no_parse_special,
                    "read special tokens in the text as characters");
  command
      ->add_flag("--decode", arguments->decode,
                 "the other way: ids on standard input, text on standard output")
      ->excludes(ids);
  command->callback(
      [arguments, chosen] { *chosen = [arguments] { return RunTokenize(*arguments); }; });
}

}  // namespace weft::tools
