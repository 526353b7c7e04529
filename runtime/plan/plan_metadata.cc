#include "runtime/plan/plan_metadata.h"

#include <absl/strings/str_cat.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "runtime/plan/json_fields.h"

namespace weft {
namespace {

using nlohmann::json;

constexpr int64_t kNoId = -1;

constexpr uint64_t kKnownFeatures = 0
#define WEFT_BIT(id, name) | (uint64_t{1} << static_cast<int>(CpuFeature::id))
    WEFT_CPU_FEATURES(WEFT_BIT)
#undef WEFT_BIT
    ;

}  // namespace

std::string MetadataToJson(const PlanMetadata& metadata) {
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
                    {"source", metadata.source},
                    {"target", metadata.target},
                    {"cpu_features", metadata.cpu_features.mask()},
                    {"kv_format", metadata.kv_format},
                    {"options", std::move(options)},
                    {"eos_ids", metadata.eos_ids},
                    {"bos_id", metadata.bos_id.has_value() ? *metadata.bos_id : kNoId},
                    {"generation", std::move(generation)},
                    {"decisions", std::move(decisions)}});
}

absl::StatusOr<PlanMetadata> MetadataFromJson(absl::string_view text, absl::string_view name) {
  const std::string where = absl::StrCat(name, ": metadata");
  const absl::StatusOr<json> document = ParseJsonObject(text, where);
  if (!document.ok()) return document.status();
  PlanMetadata metadata;
  PlanFields fields(*document, where);
  metadata.weft_version = fields.String("weft_version");
  metadata.model = fields.String("model");
  metadata.source = fields.String("source");
  metadata.target = fields.String("target");
  const uint64_t features = fields.Uint("cpu_features");
  if ((features & ~kKnownFeatures) != 0) {
    fields.Fail("the plan needs CPU features that this weft does not know; use a newer weft");
  }
  metadata.cpu_features = CpuFeatures(features);
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
