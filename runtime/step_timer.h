// What a worker calls between steps: one that compiles to nothing, one that takes times, and one
// that counts as well.
#pragma once

#include <cstddef>
#include <type_traits>

#include "runtime/perf_counters.h"
#include "runtime/profile.h"
#include "runtime/step_clock.h"

namespace weft {

// The executor's loop is compiled once with each, so that without times no instruction of it is for
// their sake.
struct NoTimer {
  void Resume() {}
  void Done(size_t /*step*/) {}
};
static_assert(std::is_empty_v<NoTimer>);

// Writes one worker's intervals, in ticks. What ends a step begins the next one: a step costs one
// reading of the clock, and a wait one more.
class StepTimer {
 public:
  // `intervals` has one per step, zero at first.
  StepTimer(StepClock clock, StepInterval* intervals)
      : clock_(clock), intervals_(intervals), since_(clock.Ticks()) {}

  // The worker has waited.
  void Resume() { since_ = clock_.Ticks(); }
  // The worker has worked on some units of the step.
  void Done(size_t step) {
    const int64_t now = clock_.Ticks();
    StepInterval& interval = intervals_[step];
    if (interval.end_ns == 0) interval.begin_ns = since_;
    interval.end_ns = now;
    interval.busy_ns += now - since_;
    since_ = now;
  }

 private:
  StepClock clock_;
  StepInterval* intervals_;
  int64_t since_;
};

// Takes times without those of counting, which is several times what a small step takes.
class CountingTimer {
 public:
  // `counts` has as many as there are intervals, zero at first.
  CountingTimer(const StepTimer& timer, const PerfCounters* counters, CounterValues* counts)
      : timer_(timer), counters_(counters), counts_(counts) {
    Resume();
  }

  void Resume() {
    since_ = counters_->Read();
    timer_.Resume();
  }
  void Done(size_t step) {
    timer_.Done(step);
    const CounterValues now = counters_->Read();
    Add(Difference(now, since_), &counts_[step]);
    since_ = now;
    timer_.Resume();
  }

 private:
  StepTimer timer_;
  const PerfCounters* counters_;
  CounterValues* counts_;
  CounterValues since_;
};

}  // namespace weft
