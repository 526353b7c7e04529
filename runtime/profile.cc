#include "runtime/profile.h"

#include <algorithm>

#include "runtime/plan/validate_program.h"

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

void StepProfile::Merge(const StepProfile& other) {
  time.Merge(other.time);
  busy_ns += other.busy_ns;
  weight_bytes += other.weight_bytes;
  macs += other.macs;
}

double StepProfile::GigabytesPerSecond() const { return Ratio(weight_bytes, time.total_ns()); }
double StepProfile::GigamacsPerSecond() const { return Ratio(macs, time.total_ns()); }

Profiler::Profiler(const Program& program, absl::Span<const StepGroup> one_row,
                   absl::Span<const StepGroup> many_rows)
    : program_(program), mac_rows_(MacRows(program)) {
  const absl::Span<const StepGroup> groups[2] = {one_row, many_rows};
  for (int many = 0; many < 2; ++many) {
    by_rows_[many].resize(program.steps.size());
    for (const StepGroup& group : groups[many]) {
      for (size_t i = group.begin; i < group.end; ++i)
        by_rows_[many][i] = group.kind == StepGroup::Kind::kRows;
    }
  }
}

void Profiler::Add(const RunTrace& run, Profile* profile) const {
  ++profile->runs;
  profile->total_ns += run.end_ns - run.begin_ns;
  profile->steps.resize(program_.steps.size());
  for (size_t i = 0; i < profile->steps.size(); ++i) {
    const Step& step = program_.steps[i];
    StepProfile& sum = profile->steps[i];
    sum.time.Add(WallNs(run, i, &sum.busy_ns));
    sum.weight_bytes += step.weight_bytes;
    sum.macs +=
        step.macs_per_row * RowsOf(mac_rows_[i], run.context.tokens, run.context.logit_rows);
  }
}

int64_t Profiler::WallNs(const RunTrace& run, size_t step, int64_t* busy_ns) const {
  int64_t begin_ns = 0;
  int64_t end_ns = 0;
  int64_t most_ns = 0;
  for (size_t i = step; i < run.intervals.size(); i += program_.steps.size()) {
    const StepInterval& interval = run.intervals[i];
    if (interval.end_ns == 0) continue;
    begin_ns = end_ns == 0 ? interval.begin_ns : std::min(begin_ns, interval.begin_ns);
    end_ns = std::max(end_ns, interval.end_ns);
    most_ns = std::max(most_ns, interval.busy_ns);
    *busy_ns += interval.busy_ns;
  }
  return by_rows_[run.context.tokens == 1 ? 0 : 1][step] ? most_ns : end_ns - begin_ns;
}

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
