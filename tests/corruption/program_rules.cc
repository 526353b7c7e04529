#include "tests/corruption/program_rules.h"

#include <string>

#include "absl/numeric/int128.h"

namespace weft::corruption {
namespace {

using Json = nlohmann::ordered_json;
using Wide = absl::int128;  // no sum or product of two numbers of a file leaves it

constexpr Wide kMostSpace = Wide{1} << 46, kMostRows = Wide{1} << 24, kMostUnits = Wide{1} << 40;

constexpr size_t kMostSteps = 65536, kMostOperands = 64;

Wide Number(const Json& object, const char* field) {
  const Json& value = object.at(field);
  return value.is_number_unsigned() ? Wide{value.get<uint64_t>()} : Wide{value.get<int64_t>()};
}

bool IsWithin(Wide value, Wide low, Wide high) { return low <= value && value <= high; }

// Inside its space, at a multiple of 4 bytes, and no writing to the weights.
bool IsPlaced(const Json& operand, const Json& program) {
  const std::string space = operand.at("space");
  const Wide has = Number(program, space == "arena"     ? "arena_bytes"
                                   : space == "weights" ? "weight_bytes"
                                                        : "kv_bytes");
  const Wide offset = Number(operand, "offset");
  return offset >= 0 && Number(operand, "bytes") >= 0 && offset + Number(operand, "bytes") <= has &&
         offset % 4 == 0 && !(operand.at("written").get<bool>() && space == "weights");
}

bool IsPort(const Json& operand, const Json& program, Wide needs) {
  return IsPlaced(operand, program) && operand.at("space") == "arena" &&
         Number(operand, "stride") == 0 && Number(operand, "bytes") >= needs;
}

bool IsStep(const Json& step, const Json& program) {
  const std::string extent = step.at("extent");
  const Wide rows = extent == "one"      ? Wide{1}
                    : extent == "tokens" ? Number(program, "max_tokens")
                                         : Number(program, "max_logit_rows");
  if (!IsWithin(Number(step, "units"), 1, kMostUnits / rows) ||
      !IsWithin(Number(step, "grain"), 1, kMostUnits) ||
      !IsWithin(Number(step, "unit_rows"), 1, kMostRows) ||
      !IsWithin(Number(step, "weight_bytes"), 0, kMostSpace) ||
      !IsWithin(Number(step, "macs_per_row"), 0, kMostSpace) || step.at("kernel") == "" ||
      step.at("operands").size() > kMostOperands)
    return false;
  for (const Json& operand : step.at("operands")) {
    if (!IsPlaced(operand, program)) return false;
    const Wide stride = Number(operand, "stride"), bytes = Number(operand, "bytes");
    if (stride == 0) continue;
    if (Number(step, "unit_rows") != 1) return false;
    // Rows that begin `stride` bytes apart: the last begins before the end, and one more would not.
    if (stride % 4 != 0 || stride < 0 || extent == "one" || operand.at("space") != "arena" ||
        (rows - 1) * stride >= bytes || bytes > rows * stride)
      return false;
  }
  return true;
}

}  // namespace

bool HasProgramNumbers(const Json& program, uint64_t weight_section_bytes) {
  const Wide tokens = Number(program, "max_tokens"), rows = Number(program, "max_logit_rows");
  const Wide vocab = Number(program, "vocab"), stride = Number(program, "logits_stride");
  for (const char* space : {"arena_bytes", "weight_bytes", "kv_bytes", "logits_stride"})
    if (!IsWithin(Number(program, space), 0, kMostSpace)) return false;
  if (Number(program, "weight_bytes") != Wide{weight_section_bytes} ||
      !IsWithin(tokens, 1, kMostRows) || !IsWithin(rows, 1, tokens) ||
      !IsWithin(Number(program, "context"), 1, kMostRows) || !IsWithin(vocab, 1, kMostRows) ||
      stride < 4 * vocab || stride % 4 != 0)
    return false;
  if (!IsPort(program.at("tokens"), program, 4 * tokens) ||
      !IsPort(program.at("positions"), program, 4 * tokens) ||
      !IsPort(program.at("logits"), program, (rows - 1) * stride + 4 * vocab) ||
      !IsPort(program.at("argmax"), program, 4 * rows))
    return false;
  if (program.at("steps").size() > kMostSteps) return false;
  for (const Json& step : program.at("steps"))
    if (!IsStep(step, program)) return false;
  return true;
}

}  // namespace weft::corruption
