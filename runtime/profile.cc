#include "runtime/profile.h"

#include <algorithm>

namespace weft {
namespace {

double Ratio(int64_t a, int64_t b) {
  return b == 0 ? 0 : static_cast<double>(a) / static_cast<double>(b);
}

bool Overlap(const OperandRef& a, const OperandRef& b) {
  return a.space == b.space && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
}

bool Writes(const Step& step, const OperandRef& bytes) {
  return std::any_of(step.operands.begin(), step.operands.end(), [&](const OperandRef& operand) {
    return operand.written && Overlap(operand, bytes);
  });
}

}  // namespace

void StepProfile::Add(int64_t ns, int64_t bytes, int64_t call_macs) {
  min_ns = calls == 0 ? ns : std::min(min_ns, ns);
  max_ns = std::max(max_ns, ns);
  ++calls;
  total_ns += ns;
  weight_bytes += bytes;
  macs += call_macs;
}

double StepProfile::MeanNs() const { return Ratio(total_ns, calls); }
double StepProfile::GigabytesPerSecond() const { return Ratio(weight_bytes, total_ns); }
double StepProfile::GigamacsPerSecond() const { return Ratio(macs, total_ns); }

std::vector<Extent> MacRows(const Program& program) {
  std::vector<Extent> rows;
  rows.reserve(program.steps.size());
  for (const Step& step : program.steps) {
    Extent extent = step.extent;
    for (size_t i = 0; extent == Extent::kOne && i < step.operands.size(); ++i) {
      const OperandRef& input = step.operands[i];
      if (input.written || input.space != Space::kArena) continue;
      for (size_t before = rows.size(); before-- > 0;) {
        if (!Writes(program.steps[before], input)) continue;
        extent = rows[before];
        break;
      }
    }
    rows.push_back(extent == Extent::kLogitRows ? Extent::kLogitRows : Extent::kTokens);
  }
  return rows;
}

}  // namespace weft
