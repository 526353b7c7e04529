#include "runtime/plan/plan_metadata.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "runtime/base/clear_json.h"
#include "runtime/base/json_reader.h"
#include "runtime/plan/json_fields.h"

namespace weft {
namespace {

using nlohmann::json;

constexpr int64_t kNoId = -1;

bool AllDiffer(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  return std::adjacent_find(names.begin(), names.end()) == names.end();
}

std::vector<std::string> NamesOf(const std::vector<PlanMetadata::Target>& targets) {
  std::vector<std::string> names;
  for (const PlanMetadata::Target& target : targets) names.push_back(target.name);
  return names;
}

void CheckNames(const char* what, const std::vector<std::string>& names, size_t most,
                PlanFields& fields) {
  if (names.size() > most || !AllDiffer(names)) {
    fields.Fail(absl::StrCat(what, " has ", names.size(), " names, which are more than ", most,
                             " or not all different"));
  }
}

}  // namespace

std::string TargetNames(const PlanMetadata& metadata) {
  return absl::StrJoin(NamesOf(metadata.targets), ", ");
}

std::string SourceText(const PlanMetadata& metadata) {
  return absl::StrJoin(
      metadata.source, ", ", [](std::string* out, const PlanMetadata::SourceFile& file) {
        absl::StrAppend(out, file.name, " (", file.bytes, " bytes, sha256 ", file.sha256, ")");
      });
}

std::string MetadataToJson(const PlanMetadata& metadata) {
  json source = json::array();
  for (const PlanMetadata::SourceFile& file : metadata.source) {
    source.push_back({{"name", file.name}, {"bytes", file.bytes}, {"sha256", file.sha256}});
  }
  json targets = json::array();
  for (const PlanMetadata::Target& target : metadata.targets) {
    targets.push_back({{"name", target.name}, {"cpu_features", target.cpu_features.mask()}});
  }
  json options = json::array();
  for (const PlanMetadata::Option& option : metadata.options) {
    options.push_back({{"name", option.name}, {"value", option.value}});
  }
  json generation = json::array();
  for (const PlanMetadata::Number& number : metadata.generation) {
    generation.push_back({{"name", number.name}, {"value", number.value}});
  }
  json decisions = json::array();
  for (const PlanMetadata::Decision& decision : metadata.decisions) {
    decisions.push_back(
        {{"weight", decision.weight}, {"format", decision.format}, {"why", decision.why}});
  }
  return PrintJson({{"weft_version", metadata.weft_version},
                    {"model", metadata.model},
                    {"source", std::move(source)},
                    {"targets", std::move(targets)},
                    {"stages", metadata.stages},
                    {"kv_format", metadata.kv_format},
                    {"options", std::move(options)},
                    {"eos_ids", metadata.eos_ids},
                    {"bos_id", metadata.bos_id.has_value() ? *metadata.bos_id : kNoId},
                    {"generation", std::move(generation)},
                    {"decisions", std::move(decisions)}});
}

absl::StatusOr<PlanMetadata> MetadataFromJson(absl::string_view text, absl::string_view name) {
  const std::string where = absl::StrCat(name, ": metadata");
  absl::StatusOr<json> document = ParseJsonObject(text, where);
  if (!document.ok()) return document.status();
  const ClearsJson clears(*document);
  PlanMetadata metadata;
  PlanFields fields(*document, where);
  metadata.weft_version = fields.String("weft_version");
  metadata.model = fields.String("model");
  fields.Objects("source", [&](PlanFields& file) {
    metadata.source.push_back({file.String("name"), file.Uint("bytes"), file.String("sha256")});
  });
  fields.Objects("targets", [&](PlanFields& target) {
    metadata.targets.push_back({target.String("name"), CpuFeatures(target.Uint("cpu_features"))});
  });
  CheckNames("targets", NamesOf(metadata.targets), kMaxPlanTargets, fields);
  metadata.stages = fields.Strings("stages");
  CheckNames("stages", metadata.stages, kMaxPlanStages, fields);
  metadata.kv_format = fields.String("kv_format");
  fields.Objects("options", [&](PlanFields& option) {
    metadata.options.push_back({option.String("name"), option.String("value")});
  });
  metadata.eos_ids = fields.Int32s("eos_ids");
  const int64_t bos = fields.Int("bos_id");
  if (bos < kNoId || bos > std::numeric_limits<int32_t>::max()) {
    fields.Fail(absl::StrCat("bos_id is ", bos, ", neither -1 (none) nor an id"));
  }
  if (bos != kNoId) metadata.bos_id = static_cast<int32_t>(bos);
  fields.Objects("generation", [&](PlanFields& number) {
    metadata.generation.push_back({number.String("name"), number.Number("value")});
  });
  fields.Objects("decisions", [&](PlanFields& decision) {
    metadata.decisions.push_back(
        {decision.String("weight"), decision.String("format"), decision.String("why")});
  });
  if (absl::Status status = fields.Finish(); !status.ok()) return status;
  return metadata;
}

}  // namespace weft
