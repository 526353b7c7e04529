#include "runtime/step_clock.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

namespace weft {
namespace {

TEST(StepClock, TicksBetweenTwoMomentsAreTimesBetweenThem) {
  for (const bool counter : {false, CounterIsClock()}) {
    const StepClock clock(counter);
    const Moment begin = clock.Now();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    const int64_t before = NowNs();
    const int64_t ticks = clock.Ticks();
    const int64_t after = NowNs();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    const Moment end = clock.Now();
    const TickScale scale(begin, end);
    constexpr int64_t kSlack = 100'000;  // a moment's two readings may lie apart
    EXPECT_GE(scale.At(ticks), before - kSlack);
    EXPECT_LE(scale.At(ticks), after + kSlack);
    EXPECT_EQ(scale.At(begin.ticks), begin.ns);
    EXPECT_EQ(scale.At(end.ticks), end.ns);
    EXPECT_EQ(scale.At(end.ticks + 1'000'000), end.ns) << "nothing ends after the run";
    EXPECT_EQ(scale.Length(end.ticks - begin.ticks), end.ns - begin.ns);
  }
}

TEST(StepClock, AScaleOfNoLength) {
  const TickScale scale({.ticks = 7, .ns = 100}, {.ticks = 7, .ns = 100});
  EXPECT_EQ(scale.At(7), 100);
  EXPECT_EQ(scale.At(9), 100);
}

TEST(StepClock, TheCounterIsAClockWhereTheKernelUsesIt) {
  const std::filesystem::path root = std::filesystem::path(testing::TempDir()) / "step_clock";
  const std::filesystem::path folder = root / "sys/devices/system/clocksource/clocksource0";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "current_clocksource") << "hpet\n";
  EXPECT_FALSE(CounterIsClock(root.string()));
  std::filesystem::remove(folder / "current_clocksource");
  EXPECT_FALSE(CounterIsClock(root.string()));
}

}  // namespace
}  // namespace weft
