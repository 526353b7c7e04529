#include "tools/plan_diff.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "runtime/text/terminal_text.h"
#include "tools/json_text.h"

namespace weft::tools {
namespace {

using Json = nlohmann::ordered_json;

std::map<std::string, Json> Fields(const Plan& plan) {
  const PlanMetadata& metadata = plan.metadata();
  const Program& program = plan.program();
  std::map<std::string, Json> fields = {{"weft_version", metadata.weft_version},
                                        {"model", metadata.model},
                                        {"source", SourceText(metadata)},
                                        {"targets", TargetNames(metadata)},
                                        {"stages", absl::StrJoin(metadata.stages, ", ")},
                                        {"kv_format", metadata.kv_format},
                                        {"context", program.context},
                                        {"max_tokens", program.max_tokens},
                                        {"max_logit_rows", program.max_logit_rows},
                                        {"steps", program.steps.size()},
                                        {"weight_bytes", program.weight_bytes},
                                        {"kv_bytes", program.kv_bytes},
                                        {"arena_bytes", program.arena_bytes}};
  for (size_t i = 0; i < metadata.targets.size(); ++i)
    fields[absl::StrCat(metadata.targets[i].name, " code_bytes")] = plan.code(i).size();
  // An option may be given several times, and the last counts.
  std::map<std::string, std::vector<std::string>> options;
  for (const PlanMetadata::Option& option : metadata.options)
    options[absl::StrCat("option ", option.name)].push_back(option.value);
  for (const auto& [name, values] : options) fields[name] = absl::StrJoin(values, " ");
  return fields;
}

std::map<std::string, Json> Decisions(const Plan& plan) {
  std::map<std::string, Json> decisions;
  for (const PlanMetadata::Decision& decision : plan.metadata().decisions)
    decisions[decision.weight] = absl::StrCat(decision.format, " (", decision.why, ")");
  return decisions;
}

std::map<std::string, Json> Kernels(const Plan& plan) {
  std::map<std::string, int64_t> counts;
  for (const Step& step : plan.program().steps) ++counts[step.kernel];
  return {counts.begin(), counts.end()};
}

Json Differences(const std::map<std::string, Json>& a, const std::map<std::string, Json>& b,
                 const Json& missing) {
  std::map<std::string, std::pair<Json, Json>> both;
  for (const auto& [name, value] : a)
    both.try_emplace(name, missing, missing).first->second.first = value;
  for (const auto& [name, value] : b)
    both.try_emplace(name, missing, missing).first->second.second = value;
  Json::object_t result;
  for (const auto& [name, values] : both) {
    if (values.first == values.second) continue;
    // Each name once: operator[] would look through all before.
    result.emplace_back(name, Json::array({values.first, values.second}));
  }
  return result;
}

std::string Shown(const std::string& name, const Json& value) {
  if (value.is_null()) return "none";
  if (value.is_number_unsigned() && name.ends_with("_bytes"))
    return absl::StrFormat("%.2f MB", static_cast<double>(value.get<uint64_t>()) / 1e6);
  return value.is_string() ? value.get<std::string>() : JsonText(value);
}

}  // namespace

Json DiffPlans(const Plan& a, const Plan& b) {
  return {{"fields", Differences(Fields(a), Fields(b), nullptr)},
          {"weights", Differences(Decisions(a), Decisions(b), nullptr)},
          {"steps", Differences(Kernels(a), Kernels(b), 0)}};
}

std::string DiffText(const Json& diff) {
  std::string text;
  for (const char* part : {"fields", "weights", "steps"}) {
    if (diff[part].empty()) continue;
    absl::StrAppend(&text, part, ":\n");
    for (const auto& [name, values] : diff[part].items())
      absl::StrAppend(&text, "  ",
                      TerminalLine(absl::StrCat(name, ": ", Shown(name, values[0]), " -> ",
                                                Shown(name, values[1]))),
                      "\n");
  }
  return text.empty() ? "no difference\n" : text;
}

}  // namespace weft::tools
