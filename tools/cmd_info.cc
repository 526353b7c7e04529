#include <iostream>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "frontends/families/family.h"
#include "runtime/base/status_macros.h"
#include "runtime/text/terminal_text.h"
#include "tools/arguments.h"
#include "tools/commands.h"
#include "tools/json_text.h"
#include "tools/table.h"

namespace weft::tools {
namespace {

struct InfoArguments {
  ModelArguments model;
  bool json = false;
};

using Json = nlohmann::ordered_json;

Json ModelJson(const Model& model) {
  const DecoderConfig& config = model.config;
  Json json = {{"path", model.path},
               {"family", std::string(config.family->name)},
               {"parameters", model.parameters},
               {"layers", config.layers.size()},
               {"hidden", config.hidden},
               {"intermediate", config.intermediate},
               {"heads", config.heads},
               {"kv_heads", config.kv_heads},
               {"head_dim", config.head_dim},
               {"vocab", config.vocab},
               {"max_positions", config.max_positions},
               {"tied_embedding", config.tied},
               {"file_bytes", model.file_bytes}};
  Json types = Json::array();
  for (const WeightTypeCount& type : model.weight_types) {
    types.push_back({{"type", std::string(Name(type.type))},
                     {"tensors", type.tensors},
                     {"values", type.values},
                     {"bytes", type.bytes}});
  }
  json["weights"] = types;
  json["unused_tensors"] = model.unused_tensors;
  if (model.tokenizer.ok()) {
    json["tokenizer"] = {{"vocab", (*model.tokenizer)->vocab_size()}};
  } else {
    json["tokenizer"] = {{"error", std::string(model.tokenizer.status().message())}};
  }
  json["eos_ids"] = model.text.eos_ids;
  json["chat_template"] = !model.text.chat_template.empty();
  return json;
}

Json PlanJson(const Plan& plan) {
  const PlanMetadata& metadata = plan.metadata();
  const Program& program = plan.program();
  size_t code_bytes = 0;
  for (size_t i = 0; i < metadata.targets.size(); ++i) code_bytes += plan.code(i).size();
  Json options = Json::array();
  Json json = {{"plan", plan.path()},
               {"model", metadata.model},
               {"source", SourceText(metadata)},
               {"targets", TargetNames(metadata)},
               {"weft_version", metadata.weft_version},
               {"steps", program.steps.size()},
               {"context", program.context},
               {"vocab", program.vocab},
               {"max_tokens", program.max_tokens},
               {"weight_bytes", program.weight_bytes},
               {"kv_format", metadata.kv_format},
               {"kv_bytes", program.kv_bytes},
               {"arena_bytes", program.arena_bytes},
               {"code_bytes", code_bytes},
               {"stages", absl::StrJoin(metadata.stages, ", ")},
               {"tokenizer", !plan.tokenizer().empty()},
               {"eos_ids", metadata.eos_ids},
               {"chat_template", !plan.chat_template().empty()}};
  for (const PlanMetadata::Option& option : metadata.options)
    options.push_back({{"name", option.name}, {"value", option.value}});
  json["options"] = options;
  return json;
}

// Keys and values in two columns; weights as "type (n tensors, n MB)", options as flags.
std::string Text(const Json& json) {
  std::string text;
  for (const auto& [key, value] : json.items()) {
    std::string shown = value.is_string() ? value.get<std::string>() : JsonText(value);
    if (key == "weights") {
      shown = absl::StrJoin(value, ", ", [](std::string* out, const Json& type) {
        absl::StrAppend(
            out, type["type"].get<std::string>(), " (", type["tensors"].get<int64_t>(),
            " tensors, ",
            absl::StrFormat("%.1f", static_cast<double>(type["bytes"].get<uint64_t>()) / 1e6),
            " MB)");
      });
    } else if (key == "options") {
      shown = absl::StrJoin(value, " ", [](std::string* out, const Json& option) {
        absl::StrAppend(out, "--", option["name"].get<std::string>(), " ",
                        option["value"].get<std::string>());
      });
    } else if (key.ends_with("_bytes")) {
      shown = absl::StrFormat("%.1f MB", static_cast<double>(value.get<uint64_t>()) / 1e6);
    } else if (key == "parameters") {
      shown = absl::StrFormat("%.1f million", static_cast<double>(value.get<int64_t>()) / 1e6);
    }
    absl::StrAppend(&text, absl::StrFormat("%-16s %s\n", key, TerminalLine(shown)));
  }
  return text;
}

absl::Status RunInfo(const InfoArguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const std::shared_ptr<const Plan> plan, OpenIfPlan(arguments.model.model));
  Json json;
  if (plan != nullptr) {
    json = PlanJson(*plan);
  } else {
    WEFT_ASSIGN_OR_RETURN(const Model model, OpenModel(arguments.model));
    json = ModelJson(model);
  }
  std::cout << (arguments.json ? JsonText(json, 2) + "\n" : Text(json));
  return absl::OkStatus();
}

}  // namespace

void AddInfo(CLI::App* app, Command* chosen) {
  auto arguments = std::make_shared<InfoArguments>();
  CLI::App* command = app->add_subcommand(
      "info", "family, dims, parameters, weight types, tokenizer and size of a model or plan");
  AddModelArgument(command, "MODEL|PLAN", &arguments->model);
  command->add_flag("--json", arguments->json, "print JSON");
  command->callback([arguments, chosen] { *chosen = [arguments] { return RunInfo(*arguments); }; });
}

}  // namespace weft::tools
