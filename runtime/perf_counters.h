// What the CPU and the kernel count about one thread (perf_event_open(2)).
#pragma once

#include <absl/strings/string_view.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace weft {

enum class Counter : uint8_t {
  kCycles,
  kInstructions,
  kCacheMisses,  // of the last level
  kTlbMisses,    // of loads
  kPageFaults,
  kContextSwitches,
};
inline constexpr size_t kCounters = 6;
// By Counter; 0 of what is not counted.
using CounterValues = std::array<uint64_t, kCounters>;

// "cycles", "page_faults".
absl::string_view Name(Counter counter);

// Counts for the thread that opened it, in all that it does, from then on.
class PerfCounters {
 public:
  // Of the calling thread, what it may have of it: a virtual machine often lends no counters of the
  // CPU, and kernel.perf_event_paranoid may forbid some or all.
  static PerfCounters Open();
  PerfCounters(PerfCounters&& other) noexcept;
  PerfCounters& operator=(PerfCounters&&) = delete;
  ~PerfCounters();

  bool Has(Counter counter) const { return place_[static_cast<size_t>(counter)] >= 0; }
  // On the thread that opened it. A system call: about a microsecond.
  CounterValues Read() const;

 private:
  PerfCounters() { place_.fill(-1); }

  std::vector<int> files_;            // the group's leader first
  std::array<int, kCounters> place_;  // in what the group reads; -1: not counted
};

// Of a number of runs: what `after` has counted beyond `before`.
CounterValues Difference(const CounterValues& after, const CounterValues& before);
void Add(const CounterValues& more, CounterValues* sum);

}  // namespace weft
