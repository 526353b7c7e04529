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
  for (Region& region : checker.regions_) {
    for (AnonymousMemory* copy : {&region.saved, &region.poisoned, &region.result}) {
      absl::StatusOr<AnonymousMemory> memory =
          AnonymousMemory::Map(region.size, "copies of the spaces for poisoning");
      if (!memory.ok()) return memory.status();
      *copy = *std::move(memory);
    }
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

absl::Status PoisonChecker::RunStep(const Step& step, absl::FunctionRef<void()> forwards,
                                    absl::FunctionRef<void()> backwards) {
  for (const Region& region : regions_) Copy(region.saved.data(), region.data, region.size);
  absl::Status status = Execute(step, kNanPattern, forwards);
  for (const Region& region : regions_) Copy(region.result.data(), region.data, region.size);
  if (status.ok()) status = Execute(step, kFinitePattern, backwards);
  for (const Region& region : regions_) {
    const ByteRanges written = Declared(step, region.space, /*only_written=*/true);
    const std::optional<uint64_t> differs =
        status.ok() ? FirstDifference(written.Ranges(), region.data, region.result.data())
                    : std::nullopt;
    if (differs.has_value()) {
      status = absl::InternalError(absl::StrCat(
          "step '", step.name, "' (", step.kernel, ") does not reproduce byte ", *differs,
          " of the ", region.name,
          ": it reads bytes that it does not declare, or its units depend on their order"));
    }
    for (const ByteRange& range : written.Complement(region.size)) {
      Copy(region.data + range.begin, region.saved.data() + range.begin, range.end - range.begin);
    }
  }
  return status;
}

}  // namespace weft
