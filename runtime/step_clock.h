// Two clocks: the steady clock, which all times are told in, and one that costs little enough to be
// read between any two steps.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <string>

namespace weft {

// The steady clock.
int64_t NowNs();

// Whether the CPU's time-stamp counter is a clock: CPUID says that its rate is constant and that it
// never stops, and the kernel, which watches it on all CPUs, uses it itself. `system_root` stands
// before /sys (for tests).
bool CounterIsClock(const std::string& system_root = "");

// One instant on both clocks.
struct Moment {
  int64_t ticks = 0;
  int64_t ns = 0;
};

// Ticks of the time-stamp counter (8 ns a reading, where the steady clock takes 25), or nanoseconds
// where that is no clock.
class StepClock {
 public:
  explicit StepClock(bool counter) : counter_(counter) {}
  int64_t Ticks() const { return counter_ ? static_cast<int64_t>(__rdtsc()) : NowNs(); }
  Moment Now() const;

 private:
  bool counter_;
};

// Tells ticks between two moments in nanoseconds: no rate has to be known, and what happened
// between the moments stays between them.
class TickScale {
 public:
  TickScale(Moment begin, Moment end);
  // Of the steady clock.
  int64_t At(int64_t ticks) const;
  int64_t Length(int64_t ticks) const;

 private:
  Moment begin_;
  Moment end_;
  double ns_per_tick_;
};

}  // namespace weft
