#include "runtime/plan/program_json.h"

#include <absl/strings/str_cat.h>

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "runtime/base/clear_json.h"
#include "runtime/base/json_reader.h"
#include "runtime/plan/json_fields.h"
#include "runtime/plan/validate_program.h"

namespace weft {
namespace {

using nlohmann::json;

// In the order of the enums.
constexpr std::array<const char*, 3> kSpaces = {"arena", "weights", "kv_cache"};
constexpr std::array<const char*, 3> kExtents = {"one", "tokens", "logit_rows"};

template <typename Enum, size_t n>
Enum ReadEnum(PlanFields& fields, const char* key, const std::array<const char*, n>& names) {
  const std::string text = fields.String(key);
  for (size_t i = 0; i < n; ++i) {
    if (text == names[i]) return static_cast<Enum>(i);
  }
  fields.Fail(absl::StrCat("'", key, "' has no known value: '", text, "'"));
  return Enum{};
}

json ToJson(const OperandRef& operand) {
  return {{"space", kSpaces[static_cast<size_t>(operand.space)]},
          {"offset", operand.offset},
          {"bytes", operand.bytes},
          {"written", operand.written},
          {"stride", operand.stride}};
}

void Read(PlanFields& fields, OperandRef& operand) {
  operand.space = ReadEnum<Space>(fields, "space", kSpaces);
  operand.offset = fields.Uint("offset");
  operand.bytes = fields.Uint("bytes");
  operand.written = fields.Bool("written");
  operand.stride = fields.Uint("stride");
}

json ToJson(const Step& step) {
  json operands = json::array();
  for (const OperandRef& operand : step.operands) operands.push_back(ToJson(operand));
  return {{"name", step.name},
          {"kind", step.kind},
          {"kernel", step.kernel},
          {"extent", kExtents[static_cast<size_t>(step.extent)]},
          {"units", step.units},
          {"unit_rows", step.unit_rows},
          {"grain", step.grain},
          {"weight_bytes", step.weight_bytes},
          {"macs_per_row", step.macs_per_row},
          {"detail", step.detail},
          {"operands", std::move(operands)}};
}

void Read(PlanFields& fields, Step& step) {
  step.name = fields.String("name");
  step.kind = fields.String("kind");
  step.kernel = fields.String("kernel");
  step.extent = ReadEnum<Extent>(fields, "extent", kExtents);
  step.units = fields.Int("units");
  step.unit_rows = fields.Int("unit_rows");
  step.grain = fields.Int("grain");
  step.weight_bytes = fields.Int("weight_bytes");
  step.macs_per_row = fields.Int("macs_per_row");
  step.detail = fields.String("detail");
  fields.Objects("operands",
                 [&](PlanFields& operand) { Read(operand, step.operands.emplace_back()); });
}

}  // namespace

std::string ProgramToJson(const Program& program) {
  json steps = json::array();
  for (const Step& step : program.steps) steps.push_back(ToJson(step));
  return PrintJson({{"arena_bytes", program.arena_bytes},
                    {"weight_bytes", program.weight_bytes},
                    {"kv_bytes", program.kv_bytes},
                    {"max_tokens", program.max_tokens},
                    {"max_logit_rows", program.max_logit_rows},
                    {"context", program.context},
                    {"vocab", program.vocab},
                    {"tokens", ToJson(program.tokens)},
                    {"positions", ToJson(program.positions)},
                    {"logits", ToJson(program.logits)},
                    {"logits_stride", program.logits_stride},
                    {"argmax", ToJson(program.argmax)},
                    {"steps", std::move(steps)}});
}

absl::StatusOr<Program> ProgramFromJson(absl::string_view text, absl::string_view name) {
  const std::string where = absl::StrCat(name, ": program");
  absl::StatusOr<json> document = ParseJsonObject(text, where);
  if (!document.ok()) return document.status();
  const ClearsJson clears(*document);
  Program program;
  PlanFields fields(*document, where);
  program.arena_bytes = fields.Uint("arena_bytes");
  program.weight_bytes = fields.Uint("weight_bytes");
  program.kv_bytes = fields.Uint("kv_bytes");
  program.max_tokens = fields.Int("max_tokens");
  program.max_logit_rows = fields.Int("max_logit_rows");
  program.context = fields.Int("context");
  program.vocab = fields.Int("vocab");
  fields.Object("tokens", [&](PlanFields& operand) { Read(operand, program.tokens); });
  fields.Object("positions", [&](PlanFields& operand) { Read(operand, program.positions); });
  fields.Object("logits", [&](PlanFields& operand) { Read(operand, program.logits); });
  program.logits_stride = fields.Uint("logits_stride");
  fields.Object("argmax", [&](PlanFields& operand) { Read(operand, program.argmax); });
  fields.Objects("steps", [&](PlanFields& step) { Read(step, program.steps.emplace_back()); });
  if (absl::Status status = fields.Finish(); !status.ok()) return status;
  if (absl::Status status = ValidateProgram(program); !status.ok()) {
    return absl::Status(status.code(), absl::StrCat(name, ": ", status.message()));
  }
  return program;
}

}  // namespace weft
