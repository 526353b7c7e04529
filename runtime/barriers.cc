#include "runtime/barriers.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "runtime/byte_ranges.h"

namespace weft {
namespace {

// What the steps since the last barrier touched, in one space.
struct Touched {
  ByteRanges read;
  ByteRanges written;
};

ByteRange RangeOf(const OperandRef& operand) {
  return {operand.offset, operand.offset + operand.bytes};
}

}  // namespace

std::vector<bool> DeriveBarriers(const Program& program) {
  std::array<Touched, 3> spaces;  // by Space
  const auto touched = [&](const OperandRef& operand) -> Touched& {
    return spaces[static_cast<size_t>(operand.space)];
  };
  const auto conflicts = [&](const OperandRef& operand) {
    const ByteRange range = RangeOf(operand);
    return touched(operand).written.Overlaps(range) ||
           (operand.written && touched(operand).read.Overlaps(range));
  };
  std::vector<bool> barriers;
  barriers.reserve(program.steps.size());
  for (const Step& step : program.steps) {
    const bool barrier = std::any_of(step.operands.begin(), step.operands.end(), conflicts);
    barriers.push_back(barrier);
    if (barrier) spaces = {};
    for (const OperandRef& operand : step.operands) {
      (operand.written ? touched(operand).written : touched(operand).read).Add(RangeOf(operand));
    }
  }
  return barriers;
}

}  // namespace weft
