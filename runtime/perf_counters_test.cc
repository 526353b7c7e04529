#include "runtime/perf_counters.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <thread>

namespace weft {
namespace {

// Counted by the kernel for itself as well, and open to every thread.
rusage OfThisThread() {
  rusage usage;
  EXPECT_EQ(getrusage(RUSAGE_THREAD, &usage), 0);
  return usage;
}

TEST(PerfCounters, CountsThePageFaultsOfItsThread) {
  const PerfCounters counters = PerfCounters::Open();
  if (!counters.Has(Counter::kPageFaults)) GTEST_SKIP() << "not permitted here";
  constexpr size_t kPages = 100;
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  void* const memory =
      mmap(nullptr, kPages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  ASSERT_EQ(madvise(memory, kPages * page, MADV_NOHUGEPAGE), 0);
  const rusage usage_before = OfThisThread();
  const CounterValues before = counters.Read();
  for (size_t i = 0; i < kPages; ++i) static_cast<volatile char*>(memory)[i * page] = 1;
  const CounterValues delta = Difference(counters.Read(), before);
  const long faults = OfThisThread().ru_minflt - usage_before.ru_minflt;
  const uint64_t counted = delta[static_cast<size_t>(Counter::kPageFaults)];
  EXPECT_GE(counted, kPages);
  EXPECT_LE(counted, static_cast<uint64_t>(faults) + 2);
  std::thread([memory, page] {
    ASSERT_EQ(madvise(memory, kPages * page, MADV_DONTNEED), 0);
    for (size_t i = 0; i < kPages; ++i) static_cast<volatile char*>(memory)[i * page] = 1;
  }).join();
  const CounterValues later = Difference(counters.Read(), before);
  EXPECT_LT(later[static_cast<size_t>(Counter::kPageFaults)], counted + kPages)
      << "those of another thread are not counted";
  munmap(memory, kPages * page);
}

TEST(PerfCounters, CountsTheContextSwitchesOfItsThread) {
  const PerfCounters counters = PerfCounters::Open();
  if (!counters.Has(Counter::kContextSwitches)) GTEST_SKIP() << "not permitted here";
  const CounterValues before = counters.Read();
  for (int i = 0; i < 5; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const CounterValues delta = Difference(counters.Read(), before);
  EXPECT_GE(delta[static_cast<size_t>(Counter::kContextSwitches)], 5U);
}

TEST(PerfCounters, WhatIsNotCountedIsZero) {
  const PerfCounters counters = PerfCounters::Open();
  const CounterValues values = counters.Read();
  for (size_t i = 0; i < kCounters; ++i) {
    if (counters.Has(static_cast<Counter>(i))) continue;
    EXPECT_EQ(values[i], 0U) << i;
  }
  if (counters.Has(Counter::kCycles)) {
    EXPECT_GT(Difference(counters.Read(), values)[static_cast<size_t>(Counter::kCycles)], 0U);
  }
}

TEST(PerfCounters, EveryCounterHasAName) {
  EXPECT_EQ(Name(Counter::kCycles), "cycles");
  EXPECT_EQ(Name(Counter::kContextSwitches), "context_switches");
}

}  // namespace
}  // namespace weft
