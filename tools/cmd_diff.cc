#include <iostream>

#include "runtime/base/status_macros.h"
#include "tools/commands.h"
#include "tools/json_text.h"
#include "tools/plan_diff.h"

namespace weft::tools {
namespace {

struct DiffArguments {
  std::string a;
  std::string b;
  bool json = false;
};

absl::Status RunDiff(const DiffArguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const std::shared_ptr<const Plan> a, Plan::Open(arguments.a));
  WEFT_ASSIGN_OR_RETURN(const std::shared_ptr<const Plan> b, Plan::Open(arguments.b));
  const nlohmann::ordered_json diff = DiffPlans(*a, *b);
  std::cout << (arguments.json ? JsonText(diff, 2) + "\n" : DiffText(diff));
  return absl::OkStatus();
}

}  // namespace

void AddDiff(CLI::App* app, Command* chosen) {
  auto arguments = std::make_shared<DiffArguments>();
  CLI::App* command = app->add_subcommand(
      "diff", "what two plans decided differently: weights, kernels, memory, code");
  command->add_option("a", arguments->a, "a .weft plan")->required()->type_name("PLAN");
  command->add_option("b", arguments->b, "another")->required()->type_name("PLAN");
  command->add_flag("--json", arguments->json, "print JSON");
  command->callback([arguments, chosen] { *chosen = [arguments] { return RunDiff(*arguments); }; });
}

}  // namespace weft::tools
