#include <iostream>

#include "absl/strings/str_format.h"
#include "runtime/base/status_macros.h"
#include "runtime/plan/plan.h"
#include "tools/commands.h"

namespace weft::tools {
namespace {

absl::Status RunVerify(const std::string& path) {
  WEFT_ASSIGN_OR_RETURN(const std::shared_ptr<const Plan> plan, Plan::Open(path));
  WEFT_RETURN_IF_ERROR(plan->VerifyWeights());
  std::cout << absl::StrFormat("%s: whole: %d sections' checksums and %.1f MB of weights agree\n",
                               path, plan->sections().size(),
                               static_cast<double>(plan->weights().size()) / 1e6);
  return absl::OkStatus();
}

}  // namespace

void AddVerify(CLI::App* app, Command* chosen) {
  auto path = std::make_shared<std::string>();
  CLI::App* command =
      app->add_subcommand("verify", "check every byte of a plan, its weights included");
  command->add_option("plan", *path, "a .weft plan")->required()->type_name("PLAN");
  command->callback([path, chosen] { *chosen = [path] { return RunVerify(*path); }; });
}

}  // namespace weft::tools
