#include "runtime/profile.h"

#include <algorithm>
#include <limits>
#include <utility>

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

// Of the wall time of a run, what is each step's (StepProfile).
std::vector<int64_t> Shares(absl::Span<const StepTimes> times, absl::Span<const StepGroup> groups) {
  std::vector<int64_t> shares(times.size());
  int64_t told = 0;  // up to when the run's time is some step's
  const auto take = [&](int64_t begin_ns, int64_t end_ns) {
    const int64_t ns = std::max<int64_t>(0, end_ns - std::max(begin_ns, told));
    told = std::max(told, end_ns);
    return ns;
  };
  for (const StepGroup& group : groups) {
    if (group.kind != StepGroup::Kind::kRows) {
      for (size_t i = group.begin; i < group.end; ++i)
        shares[i] = take(times[i].begin_ns, times[i].end_ns);
      continue;
    }
    // One worker may have been longest with one step, and another with the next.
    int64_t begin_ns = std::numeric_limits<int64_t>::max();
    int64_t end_ns = 0;
    int64_t sum_ns = 0;
    for (const StepTimes& step : times.subspan(group.begin, group.end - group.begin)) {
      if (step.end_ns == 0) continue;
      begin_ns = std::min(begin_ns, step.begin_ns);
      end_ns = std::max(end_ns, step.end_ns);
      sum_ns += step.most_busy_ns;
    }
    const int64_t wall_ns = take(begin_ns, end_ns);
    const double scale =
        sum_ns <= wall_ns ? 1 : static_cast<double>(wall_ns) / static_cast<double>(sum_ns);
    for (size_t i = group.begin; i < group.end; ++i)
      shares[i] = static_cast<int64_t>(scale * static_cast<double>(times[i].most_busy_ns));
  }
  return shares;
}

// A plan may say any number of a step: a sum beyond 64 bits stays the largest.
void AddProduct(int64_t a, int64_t b, int64_t* sum) {
  int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product) || __builtin_add_overflow(*sum, product, sum))
    *sum = std::numeric_limits<int64_t>::max();
}

}  // namespace

void StepProfile::Merge(const StepProfile& other) {
  time.Merge(other.time);
  busy_ns += other.busy_ns;
  AddProduct(other.weight_bytes, 1, &weight_bytes);
  cache_bytes += other.cache_bytes;
  AddProduct(other.macs, 1, &macs);
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

Profiler::Profiler(const Program& program, std::vector<StepGroup> one_row,
                   std::vector<StepGroup> many_rows)
    : program_(program),
      mac_rows_(MacRows(program)),
      one_row_(std::move(one_row)),
      many_rows_(std::move(many_rows)) {}

std::vector<int64_t> Profiler::Add(const RunTrace& run, Profile* profile) const {
  ++profile->runs;
  profile->total_ns += run.end_ns - run.begin_ns;
  profile->steps.resize(program_.steps.size());
  std::vector<StepTimes> times;
  times.reserve(profile->steps.size());
  for (size_t i = 0; i < profile->steps.size(); ++i)
    times.push_back(TimesOf(run.intervals, profile->steps.size(), i));
  std::vector<int64_t> shares = Shares(times, run.context.tokens == 1 ? one_row_ : many_rows_);
  for (size_t i = 0; i < profile->steps.size(); ++i) {
    const Step& step = program_.steps[i];
    StepProfile& sum = profile->steps[i];
    sum.time.Add(shares[i]);
    sum.busy_ns += times[i].busy_ns;
    AddProduct(step.weight_bytes, 1, &sum.weight_bytes);
    AddProduct(step.macs_per_row, RowsOf(mac_rows_[i], run.context.tokens, run.context.logit_rows),
               &sum.macs);
  }
  for (size_t i = 0; i < run.counts.size(); ++i)
    weft::Add(run.counts[i], &profile->steps[i % profile->steps.size()].counts);
  return shares;
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
