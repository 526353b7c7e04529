// Where the time of runs went, step by step.
#pragma once

#include <absl/types/span.h>

#include <cstdint>
#include <vector>

#include "runtime/abi/program.h"
#include "runtime/barriers.h"
#include "runtime/perf_counters.h"
#include "runtime/step_clock.h"
#include "runtime/time_histogram.h"

namespace weft {

// Totals of one step over runs. A step's time in a run is the wall time from the first worker's
// begin to the last worker's end, less what of it was an earlier step's already (workers need not
// wait for each other between the two); for steps that take turns on the same rows
// (StepGroup::kRows), the time of the worker that was busy with it longest, scaled down where all
// of them together would exceed the wall time of the turns. So the steps' times never add up to
// more than the run's.
struct StepProfile {
  TimeHistogram time;         // of calls
  int64_t busy_ns = 0;        // in kernels, of all workers together
  int64_t weight_bytes = 0;   // streamed in all calls
  int64_t cache_bytes = 0;    // keys and values read in all calls; 0 where nobody said
  int64_t macs = 0;           // done in all calls
  CounterValues counts = {};  // in kernels, of all workers together

  void Merge(const StepProfile& other);
  // Total over total time, of weights and cache; 0 where no time was measured. Bytes per ns is 10^9
  // bytes per second.
  double GigabytesPerSecond() const;
  double GigamacsPerSecond() const;
};

// What one worker did for one step in one run. Times of the steady clock.
struct StepInterval {
  int64_t begin_ns = 0;
  int64_t end_ns = 0;   // 0: it had no unit of the step
  int64_t busy_ns = 0;  // in the kernel
};

// What all workers did for one step in one run; zeros where none had a unit of it.
struct StepTimes {
  int64_t begin_ns = 0;      // the first worker's
  int64_t end_ns = 0;        // the last worker's
  int64_t most_busy_ns = 0;  // of one worker
  int64_t busy_ns = 0;       // of all together
};
// `intervals` are [worker][step], of `steps` steps.
StepTimes TimesOf(absl::Span<const StepInterval> intervals, size_t steps, size_t step);

// One run, as ExecutorOptions::on_run gets it.
struct RunTrace {
  KernelContext context;
  int64_t begin_ns = 0;
  int64_t end_ns = 0;
  absl::Span<const StepInterval> intervals;  // [worker][step]
  absl::Span<const CounterValues> counts;    // likewise; empty where nothing was counted
};

struct Profile {
  int64_t runs = 0;
  int64_t total_ns = 0;            // wall time of the runs; the steps' sum tells what is not theirs
  std::vector<StepProfile> steps;  // as Program::steps
};

// Adds up runs of one program.
class Profiler {
 public:
  // `one_row` and `many_rows` as DeriveGroups has them of `program`, which must outlive this.
  Profiler(const Program& program, std::vector<StepGroup> one_row,
           std::vector<StepGroup> many_rows);

  // Returns what the run added to each step's time (StepProfile).
  std::vector<int64_t> Add(const RunTrace& run, Profile* profile) const;

 private:
  const Program& program_;
  std::vector<Extent> mac_rows_;
  std::vector<StepGroup> one_row_;
  std::vector<StepGroup> many_rows_;
};

// Which rows each step's macs_per_row counts for, kTokens or kLogitRows. A matmul's units do not
// depend on its rows (extent kOne), so it has those of the step that wrote its input last; of
// kTokens where none did.
std::vector<Extent> MacRows(const Program& program);

}  // namespace weft
