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
  cache_bytes += other.cache_bytes;
  macs += other.macs;
  weft::Add(other.counts, &counts);
}

double StepProfile::GigabytesPerSecond() const {
  return Ratio(weight_bytes + cache_bytes, time.total_ns());
}
double StepProfile::GigamacsPerSecond() const { return Ratio(macs, time.total_ns()); }

StepTimes TimesOf(absl::Span<const StepInterval> intervals, size_t steps, size_t step) {
  StepTimes times;
  for (size_t i = step; i < intervals.size(); i += steps) {
    const StepInterval& interval = intervals[i];
    if (interval.end_ns == 0) continue;
    times.begin_ns =
        times.end_ns == 0 ? interval.begin_ns : std::min(times.begin_ns, interval.begin_ns);
    times.end_ns = std::max(times.end_ns, interval.end_ns);
    times.most_busy_ns = std::max(times.most_busy_ns, interval.busy_ns);
    times.busy_ns += interval.busy_ns;
  }
  return times;
}

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

int64_t Profiler::TimeNs(const RunTrace& run, size_t step) const {
  const StepTimes times = TimesOf(run.intervals, program_.steps.size(), step);
  const bool by_rows = by_rows_[run.context.tokens == 1 ? 0 : 1][step];
  return by_rows ? times.most_busy_ns : times.end_ns - times.begin_ns;
}

void Profiler::Add(const RunTrace& run, Profile* profile) const {
  ++profile->runs;
  profile->total_ns += run.end_ns - run.begin_ns;
  profile->steps.resize(program_.steps.size());
  const std::vector<bool>& by_rows = by_rows_[run.context.tokens == 1 ? 0 : 1];
  for (size_t i = 0; i < profile->steps.size(); ++i) {
    const Step& step = program_.steps[i];
    StepProfile& sum = profile->steps[i];
    const StepTimes times = TimesOf(run.intervals, program_.steps.size(), i);
    sum.time.Add(by_rows[i] ? times.most_busy_ns : times.end_ns - times.begin_ns);
    sum.busy_ns += times.busy_ns;
    sum.weight_bytes += step.weight_bytes;
    sum.macs +=
        step.macs_per_row * RowsOf(mac_rows_[i], run.context.tokens, run.context.logit_rows);
  }
  for (size_t i = 0; i < run.counts.size(); ++i)
    weft::Add(run.counts[i], &profile->steps[i % profile->steps.size()].counts);
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
