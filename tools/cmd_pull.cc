#include <iostream>

#include "absl/strings/str_cat.h"
#include "frontends/hub/hub.h"
#include "runtime/base/status_macros.h"
#include "tools/commands.h"
#include "tools/progress.h"

namespace weft::tools {
namespace {

absl::Status RunPull(const std::string& name) {
  ProgressBar bar;
  WEFT_ASSIGN_OR_RETURN(const ResolvedModel model, Pull(name, HubOptionsWith(&bar)));
  std::cout << model.path << "\n";
  return absl::OkStatus();
}

std::string CatalogueText() {
  std::string text = "Catalogue:\n";
  for (const CatalogueEntry& entry : Catalogue())
    absl::StrAppend(&text, "  ", entry.name, ": ", entry.description, "\n");
  return text;
}

}  // namespace

void AddPull(CLI::App* app, Command* chosen) {
  auto name = std::make_shared<std::string>();
  CLI::App* command =
      app->add_subcommand("pull", "download a model into the cache and print its path");
  command
      ->add_option("name", *name,
                   "a catalogue name or a hub id: org/name, org/name:FILE.gguf, org/name:Q8_0")
      ->required()
      ->type_name("NAME");
  command->footer(CatalogueText() +
                  "Environment: HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE, HF_HUB_CACHE, HF_HOME, "
                  "HF_HUB_ETAG_TIMEOUT, HF_HUB_DOWNLOAD_TIMEOUT, XDG_CACHE_HOME");
  command->callback([name, chosen] { *chosen = [name] { return RunPull(*name); }; });
}

}  // namespace weft::tools
