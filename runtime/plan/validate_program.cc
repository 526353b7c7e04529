#include "runtime/plan/validate_program.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/string_view.h>

#include <array>

#include "runtime/abi/check.h"

namespace weft {
namespace {

// Known models have some ten operands in a step, and of 1,000 layers some 14,000 steps. What groups
// steps compares the operands of one with those of others.
constexpr size_t kMaxOperands = 64;
constexpr size_t kMaxSteps = 65536;

absl::Status CheckRange(absl::string_view what, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("program: ", what, " is ", value, ", not within ", low, " to ", high));
}

absl::Status CheckSpace(absl::string_view what, uint64_t bytes) {
  if (bytes <= kMaxSpaceBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("program: ", what, " is ", bytes, ", above ", kMaxSpaceBytes));
}

absl::Status CheckOperand(const Program& program, absl::string_view what,
                          const OperandRef& operand) {
  struct Bounds {
    absl::string_view name;
    uint64_t bytes;
  };
  const std::array<Bounds, 3> spaces = {{{"arena", program.arena_bytes},
                                         {"weights", program.weight_bytes},
                                         {"KV cache", program.kv_bytes}}};
  const auto index = static_cast<size_t>(operand.space);
  if (index >= spaces.size()) {
    return absl::InvalidArgumentError(absl::StrCat("program: ", what, " lies in no known space"));
  }
  const Bounds& space = spaces[index];
  if (operand.offset > space.bytes || operand.bytes > space.bytes - operand.offset) {
    return absl::InvalidArgumentError(absl::StrCat("program: ", what, " has ", operand.bytes,
                                                   " bytes at ", operand.offset, " of the ",
                                                   space.name, ", which has ", space.bytes));
  }
  if (operand.offset % sizeof(float) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("program: ", what, " lies at byte ",
                                                   operand.offset, " of the ", space.name,
                                                   ", which is no multiple of 4"));
  }
  if (operand.written && operand.space == Space::kWeights) {
    return absl::InvalidArgumentError(
        absl::StrCat("program: ", what, " writes to the weights, which are read-only"));
  }
  return absl::OkStatus();
}

// An operand of rows: as many as the step's extent has, none of which overlap.
absl::Status CheckRows(absl::string_view what, const OperandRef& operand, Extent extent,
                       int64_t rows) {
  if (operand.stride == 0) return absl::OkStatus();
  if (extent == Extent::kOne || operand.space != Space::kArena) {
    return absl::InvalidArgumentError(absl::StrCat(
        "program: ", what, " has a stride, but its step has no rows or it is not in the arena"));
  }
  // Rounded up without overflow; the last row may be cut short, no other.
  const uint64_t has = operand.bytes / operand.stride + (operand.bytes % operand.stride != 0);
  if (operand.stride % sizeof(float) == 0 && has == static_cast<uint64_t>(rows)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("program: ", what, " has ", operand.bytes,
                                                 " bytes, which are not ", rows, " rows ",
                                                 operand.stride, " bytes apart"));
}

// An operand that the executor itself reads or writes: at least `needed` bytes of the arena.
absl::Status CheckPort(const Program& program, absl::string_view what, const OperandRef& operand,
                       uint64_t needed) {
  if (absl::Status status = CheckOperand(program, what, operand); !status.ok()) return status;
  if (operand.space != Space::kArena) {
    return absl::InvalidArgumentError(absl::StrCat("program: ", what, " is not in the arena"));
  }
  if (operand.stride != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "program: ", what, " has the stride ", operand.stride, ", but it is one stretch of bytes"));
  }
  if (operand.bytes < needed) {
    return absl::InvalidArgumentError(
        absl::StrCat("program: ", what, " has ", operand.bytes, " bytes, its rows need ", needed));
  }
  return absl::OkStatus();
}

absl::Status CheckStep(const Program& program, size_t index) {
  const Step& step = program.steps[index];
  const std::string name = absl::StrCat("step ", index, " '", step.name, "'");
  if (step.kernel.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("program: ", name, " names no kernel"));
  }
  if (static_cast<int>(step.extent) > static_cast<int>(Extent::kLogitRows)) {
    return absl::InvalidArgumentError(absl::StrCat("program: ", name, " has no known extent"));
  }
  if (step.operands.size() > kMaxOperands) {
    return absl::InvalidArgumentError(absl::StrCat("program: ", name, " has ", step.operands.size(),
                                                   " operands, more than ", kMaxOperands));
  }
  const int64_t rows = RowsOf(step.extent, program.max_tokens, program.max_logit_rows);
  for (const absl::Status& status :
       {CheckRange(absl::StrCat("units of ", name), step.units, 1, kMaxUnits / rows),
        CheckRange(absl::StrCat("unit_rows of ", name), step.unit_rows, 1, kMaxRows),
        CheckRange(absl::StrCat("grain of ", name), step.grain, 1, kMaxUnits),
        CheckRange(absl::StrCat("weight_bytes of ", name), step.weight_bytes, 0,
                   static_cast<int64_t>(kMaxSpaceBytes)),
        CheckRange(absl::StrCat("macs_per_row of ", name), step.macs_per_row, 0,
                   static_cast<int64_t>(kMaxSpaceBytes))}) {
    if (!status.ok()) return status;
  }
  if (step.unit_rows > 1 && WorksByRows(step)) {
    return absl::InvalidArgumentError(absl::StrCat("program: ", name, " works by rows, but has ",
                                                   step.unit_rows, " of them in a unit"));
  }
  for (size_t i = 0; i < step.operands.size(); ++i) {
    const std::string operand = absl::StrCat("operand ", i, " of ", name);
    if (absl::Status status = CheckOperand(program, operand, step.operands[i]); !status.ok()) {
      return status;
    }
    if (absl::Status status = CheckRows(operand, step.operands[i], step.extent, rows);
        !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

}  // namespace

int64_t RowsOf(Extent extent, int64_t tokens, int64_t logit_rows) {
  switch (extent) {
    case Extent::kOne:
      return 1;
    case Extent::kTokens:
      return tokens;
    case Extent::kLogitRows:
      return logit_rows;
  }
  WEFT_CHECK(false);
}

absl::Status ValidateProgram(const Program& program) {
  for (const absl::Status& status :
       {CheckSpace("arena_bytes", program.arena_bytes),
        CheckSpace("weight_bytes", program.weight_bytes), CheckSpace("kv_bytes", program.kv_bytes),
        CheckSpace("logits_stride", program.logits_stride),
        CheckRange("max_tokens", program.max_tokens, 1, kMaxRows),
        CheckRange("max_logit_rows", program.max_logit_rows, 1, program.max_tokens),
        CheckRange("context", program.context, 1, kMaxRows),
        CheckRange("vocab", program.vocab, 1, kMaxRows)}) {
    if (!status.ok()) return status;
  }
  // 2^24 rows of 2^46 bytes would leave 64 bits; a stride that can fit the arena cannot.
  const uint64_t row_bytes = static_cast<uint64_t>(program.vocab) * sizeof(float);
  const auto rows = static_cast<uint64_t>(program.max_logit_rows);
  if (program.logits_stride < row_bytes || program.logits_stride % sizeof(float) != 0 ||
      (rows > 1 && program.logits_stride > program.arena_bytes / (rows - 1))) {
    return absl::InvalidArgumentError(
        absl::StrCat("program: logits_stride is ", program.logits_stride, " for rows of ",
                     row_bytes, " bytes in an arena of ", program.arena_bytes));
  }
  const uint64_t ids_bytes = static_cast<uint64_t>(program.max_tokens) * sizeof(int32_t);
  for (const absl::Status& status :
       {CheckPort(program, "tokens", program.tokens, ids_bytes),
        CheckPort(program, "positions", program.positions, ids_bytes),
        CheckPort(program, "logits", program.logits,
                  (rows - 1) * program.logits_stride + row_bytes),
        CheckPort(program, "argmax", program.argmax, rows * sizeof(int32_t))}) {
    if (!status.ok()) return status;
  }
  if (program.steps.size() > kMaxSteps) {
    return absl::InvalidArgumentError(
        absl::StrCat("program: has ", program.steps.size(), " steps, more than ", kMaxSteps));
  }
  for (size_t i = 0; i < program.steps.size(); ++i) {
    if (absl::Status status = CheckStep(program, i); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace weft
