#include "runtime/step_clock.h"

#include <cpuid.h>

#include <algorithm>
#include <chrono>
#include <fstream>

namespace weft {

int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

bool CounterIsClock(const std::string& system_root) {
  constexpr unsigned kPowerManagement = 0x80000007;
  constexpr unsigned kInvariantTsc = 1U << 8;  // of edx
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  if (__get_cpuid(kPowerManagement, &eax, &ebx, &ecx, &edx) == 0) return false;
  if ((edx & kInvariantTsc) == 0) return false;
  std::ifstream file(system_root +
                     "/sys/devices/system/clocksource/clocksource0/current_clocksource");
  std::string source;
  return file >> source && source == "tsc";
}

// The reading of the steady clock between two of the counter that lie closest together: a thread
// that is interrupted in between would tie an instant to a later one.
Moment StepClock::Now() const {
  constexpr int kTries = 3;
  Moment best;
  int64_t closest = 0;
  for (int i = 0; i < kTries; ++i) {
    const int64_t before = Ticks();
    const int64_t ns = NowNs();
    const int64_t after = Ticks();
    if (i > 0 && after - before >= closest) continue;
    closest = after - before;
    best = {before + closest / 2, ns};
  }
  return best;
}

TickScale::TickScale(Moment begin, Moment end)
    : begin_(begin),
      end_(end),
      ns_per_tick_(end.ticks > begin.ticks ? static_cast<double>(end.ns - begin.ns) /
                                                 static_cast<double>(end.ticks - begin.ticks)
                                           : 0) {}

int64_t TickScale::At(int64_t ticks) const {
  return std::clamp(begin_.ns + Length(ticks - begin_.ticks), begin_.ns, end_.ns);
}

int64_t TickScale::Length(int64_t ticks) const {
  // To the nearest, in one instruction: thousands of times are converted at once.
  return _mm_cvtsd_si64(_mm_set_sd(static_cast<double>(ticks) * ns_per_tick_));
}

}  // namespace weft
