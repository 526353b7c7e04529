#include "runtime/perf_counters.h"

#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <utility>

namespace weft {
namespace {

struct Event {
  Counter counter;
  const char* name;
  uint32_t type;
  uint64_t config;
};
constexpr uint64_t kDataTlbLoadMisses = PERF_COUNT_HW_CACHE_DTLB |
                                        (PERF_COUNT_HW_CACHE_OP_READ << 8) |
                                        (PERF_COUNT_HW_CACHE_RESULT_MISS << 16);
// In the order of Counter. A group may be led by the CPU's counters and hold the kernel's, but not
// the other way round.
constexpr Event kEvents[kCounters] = {
    {Counter::kCycles, "cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES},
    {Counter::kInstructions, "instructions", PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS},
    {Counter::kCacheMisses, "cache_misses", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES},
    {Counter::kTlbMisses, "tlb_misses", PERF_TYPE_HW_CACHE, kDataTlbLoadMisses},
    {Counter::kPageFaults, "page_faults", PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS},
    {Counter::kContextSwitches, "context_switches", PERF_TYPE_SOFTWARE,
     PERF_COUNT_SW_CONTEXT_SWITCHES},
};

// A file descriptor, or -1.
int OpenEvent(const Event& event, int group, bool kernel) {
  perf_event_attr attributes = {};
  attributes.size = sizeof attributes;
  attributes.type = event.type;
  attributes.config = event.config;
  attributes.read_format = PERF_FORMAT_GROUP;
  attributes.exclude_kernel = kernel ? 0 : 1;
  attributes.exclude_hv = 1;
  return static_cast<int>(
      syscall(SYS_perf_event_open, &attributes, 0, -1, group, PERF_FLAG_FD_CLOEXEC));
}

}  // namespace

absl::string_view Name(Counter counter) { return kEvents[static_cast<size_t>(counter)].name; }

PerfCounters PerfCounters::Open() {
  PerfCounters counters;
  for (size_t i = 0; i < kCounters; ++i) {
    const Event& event = kEvents[i];
    const int group = counters.files_.empty() ? -1 : counters.files_[0];
    int file = OpenEvent(event, group, /*kernel=*/true);
    // A thread is switched away by the kernel: without it there is nothing to count.
    if (file < 0 && event.counter != Counter::kContextSwitches)
      file = OpenEvent(event, group, /*kernel=*/false);
    if (file < 0) continue;
    counters.place_[i] = static_cast<int>(counters.files_.size());
    counters.files_.push_back(file);
  }
  return counters;
}

PerfCounters::PerfCounters(PerfCounters&& other) noexcept
    : files_(std::exchange(other.files_, {})), place_(other.place_) {}

PerfCounters::~PerfCounters() {
  for (const int file : files_) (void)close(file);
}

CounterValues PerfCounters::Read() const {
  CounterValues values = {};
  if (files_.empty()) return values;
  struct {
    uint64_t count;
    uint64_t values[kCounters];
  } group = {};
  const auto wanted = static_cast<ssize_t>((1 + files_.size()) * sizeof(uint64_t));
  if (read(files_[0], &group, sizeof group) != wanted) return values;
  for (size_t i = 0; i < kCounters; ++i) {
    if (place_[i] >= 0) values[i] = group.values[place_[i]];
  }
  return values;
}

CounterValues Difference(const CounterValues& after, const CounterValues& before) {
  CounterValues difference;
  for (size_t i = 0; i < kCounters; ++i) difference[i] = after[i] - before[i];
  return difference;
}

void Add(const CounterValues& more, CounterValues* sum) {
  for (size_t i = 0; i < kCounters; ++i) (*sum)[i] += more[i];
}

}  // namespace weft
