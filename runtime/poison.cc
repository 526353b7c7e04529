#include "runtime/poison.h"

#include <absl/strings/str_cat.h>

#include <cstring>
#include <optional>
#include <utility>

#include "runtime/byte_ranges.h"

namespace weft {
namespace {

constexpr uint8_t kNanPattern = 0xFF;
constexpr uint8_t kFinitePattern = 0x55;

// What a step declares of one space; or only what it writes.
ByteRanges Declared(const Step& step, Space space, bool only_written) {
  ByteRanges result;
  for (const OperandRef& operand : step.operands) {
    if (operand.space != space || (only_written && !operand.written)) continue;
    result.Add({operand.offset, operand.offset + operand.bytes});
  }
  return result;
}

// Offset of the first byte in `ranges` where a and b differ.
std::optional<uint64_t> FirstDifference(const std::vector<ByteRange>& ranges, const uint8_t* a,
                                        const uint8_t* b) {
  for (const ByteRange& range : ranges) {
    if (std::memcmp(a + range.begin, b + range.begin, range.end - range.begin) == 0) continue;
    for (uint64_t i = range.begin;; ++i) {
      if (a[i] != b[i]) return i;
    }
  }
  return std::nullopt;
}

void Copy(uint8_t* to, const uint8_t* from, uint64_t size) {
  if (size > 0) std::memcpy(to, from, size);
}

}  // namespace

absl::StatusOr<PoisonChecker> PoisonChecker::Create(const Program& program, uint8_t* arena,
                                                    uint8_t* kv) {
  PoisonChecker checker;
  checker.regions_[0] = {Space::kArena, "arena", arena, program.arena_bytes, {}, {}, {}};
  checker.regions_[1] = {Space::kKvCache, "KV cache", kv, program.kv_bytes, {}, {}, {}};
  const auto map = [](uint64_t size, AnonymousMemory* copy) {
    absl::StatusOr<AnonymousMemory> memory =
        AnonymousMemory::Map(size, "copies of the spaces for poisoning");
    if (!memory.ok()) return memory.status();
    *copy = *std::move(memory);
    return absl::OkStatus();
  };
  for (Region& region : checker.regions_) {
    for (AnonymousMemory* copy : {&region.saved, &region.poisoned, &region.result}) {
      if (absl::Status status = map(region.size, copy); !status.ok()) return status;
    }
  }
  if (absl::Status status = map(program.arena_bytes, &checker.row_results_); !status.ok()) {
    return status;
  }
  return checker;
}

void PoisonChecker::BeginRun(const Program& program) {
  ByteRanges inputs;
  for (const OperandRef& input : {program.tokens, program.positions}) {
    inputs.Add({input.offset, input.offset + input.bytes});
  }
  for (const ByteRange& range : inputs.Complement(program.arena_bytes)) {
    std::memset(regions_[0].data + range.begin, kNanPattern, range.end - range.begin);
  }
}

absl::Status PoisonChecker::Execute(const Step& step, uint8_t pattern,
                                    absl::FunctionRef<void()> execute) {
  for (const Region& region : regions_) {
    Copy(region.data, region.saved.data(), region.size);
    const ByteRanges declared = Declared(step, region.space, /*only_written=*/false);
    for (const ByteRange& range : declared.Complement(region.size)) {
      std::memset(region.data + range.begin, pattern, range.end - range.begin);
    }
    Copy(region.poisoned.data(), region.data, region.size);
  }
  execute();
  for (const Region& region : regions_) {
    const ByteRanges written = Declared(step, region.space, /*only_written=*/true);
    const std::optional<uint64_t> changed =
        FirstDifference(written.Complement(region.size), region.data, region.poisoned.data());
    if (changed.has_value()) {
      return absl::InternalError(absl::StrCat("step '", step.name, "' (", step.kernel,
                                              ") wrote byte ", *changed, " of the ", region.name,
                                              ", which it does not declare as written"));
    }
  }
  return absl::OkStatus();
}

// Leaves the rows as each was when it had its turn.
absl::Status PoisonChecker::ExecuteByRows(const Step& step, int64_t rows, RunUnits run) {
  const Region& arena = regions_[0];
  // Calls visit(row's offset, width) for row `row` of the operands that have rows.
  const auto visit_row = [&](int64_t row, bool only_written, auto visit) {
    for (const OperandRef& operand : step.operands) {
      if (operand.stride == 0 || (only_written && !operand.written)) continue;
      visit(operand.offset + static_cast<uint64_t>(row) * operand.stride, RowWidth(operand));
    }
  };
  const auto poison = [&](uint64_t offset, uint64_t width) {
    std::memset(arena.data + offset, kFinitePattern, width);
  };
  for (int64_t row = 0; row < rows; ++row) visit_row(row, /*only_written=*/false, poison);
  Copy(arena.poisoned.data(), arena.data, arena.size);
  for (int64_t row = rows - 1; row >= 0; --row) {
    visit_row(row, /*only_written=*/false, [&](uint64_t offset, uint64_t width) {
      Copy(arena.data + offset, arena.saved.data() + offset, width);
    });
    run(row * step.units, (row + 1) * step.units);
    std::optional<uint64_t> changed;
    for (int64_t other = 0; other < rows; ++other) {
      if (other == row) continue;
      visit_row(other, /*only_written=*/true, [&](uint64_t offset, uint64_t width) {
        const std::vector<ByteRange> bytes = {{offset, offset + width}};
        if (!changed) changed = FirstDifference(bytes, arena.data, arena.poisoned.data());
      });
    }
    if (changed.has_value()) {
      return absl::InternalError(absl::StrCat("step '", step.name, "' (", step.kernel,
                                              ") wrote byte ", *changed, " of the ", arena.name,
                                              " in another row than its unit's"));
    }
    visit_row(row, /*only_written=*/true, [&](uint64_t offset, uint64_t width) {
      Copy(row_results_.data() + offset, arena.data + offset, width);
    });
    visit_row(row, /*only_written=*/false, poison);
  }
  for (int64_t row = 0; row < rows; ++row) {
    visit_row(row, /*only_written=*/true, [&](uint64_t offset, uint64_t width) {
      Copy(arena.data + offset, row_results_.data() + offset, width);
    });
  }
  return absl::OkStatus();
}

absl::Status PoisonChecker::CompareWithResult(const Step& step) const {
  for (const Region& region : regions_) {
    const ByteRanges written = Declared(step, region.space, /*only_written=*/true);
    const std::optional<uint64_t> differs =
        FirstDifference(written.Ranges(), region.data, region.result.data());
    if (!differs.has_value()) continue;
    return absl::InternalError(absl::StrCat(
        "step '", step.name, "' (", step.kernel, ") does not reproduce byte ", *differs, " of the ",
        region.name,
        ": it reads bytes that it does not declare (or in a row that is not its unit's), or its "
        "units depend on their order"));
  }
  return absl::OkStatus();
}

absl::Status PoisonChecker::RunStep(const Step& step, int64_t rows, RunUnits run) {
  const int64_t units = step.units * rows;
  const auto forwards = [&] { run(0, units); };
  const auto backwards = [&] {
    for (int64_t unit = units - 1; unit >= 0; --unit) run(unit, unit + 1);
  };
  for (const Region& region : regions_) Copy(region.saved.data(), region.data, region.size);
  absl::Status status = Execute(step, kNanPattern, forwards);
  for (const Region& region : regions_) Copy(region.result.data(), region.data, region.size);
  if (status.ok()) status = Execute(step, kFinitePattern, backwards);
  if (status.ok()) status = CompareWithResult(step);
  if (status.ok() && WorksByRows(step)) {
    absl::Status by_rows;
    status = Execute(step, kNanPattern, [&] { by_rows = ExecuteByRows(step, rows, run); });
    if (!by_rows.ok()) status = by_rows;
    if (status.ok()) status = CompareWithResult(step);
  }
  for (const Region& region : regions_) {
    const ByteRanges written = Declared(step, region.space, /*only_written=*/true);
    for (const ByteRange& range : written.Complement(region.size)) {
      Copy(region.data + range.begin, region.saved.data() + range.begin, range.end - range.begin);
    }
  }
  return status;
}

}  // namespace weft
