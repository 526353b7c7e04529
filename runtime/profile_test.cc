#include "runtime/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft {
namespace {

using testing::ElementsAre;

TEST(Profile, TotalsNotMeansOfRates) {
  StepProfile step;
  EXPECT_EQ(step.GigabytesPerSecond(), 0);
  StepProfile call;
  call.time.Add(100);
  call.busy_ns = 150;
  call.weight_bytes = 1000;
  call.macs = 50;
  step.Merge(call);
  call = StepProfile();
  call.time.Add(300);
  call.busy_ns = 250;
  call.weight_bytes = 1000;
  call.macs = 150;
  step.Merge(call);
  EXPECT_EQ(step.time.count(), 2);
  EXPECT_EQ(step.busy_ns, 400);
  EXPECT_EQ(step.GigabytesPerSecond(), 5);   // 2000 B in 400 ns; the mean of the rates is 6.7
  EXPECT_EQ(step.GigamacsPerSecond(), 0.5);  // 200 in 400 ns
}

// Two workers; {begin, end, busy} of each step.
std::vector<int64_t> Times(std::vector<StepGroup> groups, std::vector<StepInterval> first,
                           std::vector<StepInterval> second) {
  Program program;
  program.steps.resize(first.size());
  std::vector<StepInterval> intervals = std::move(first);
  intervals.insert(intervals.end(), second.begin(), second.end());
  const Profiler profiler(program, {}, std::move(groups));
  RunTrace run;
  run.context.tokens = 2;
  run.begin_ns = 1000;
  run.end_ns = 2000;
  run.intervals = intervals;
  Profile profile;
  std::vector<int64_t> times = profiler.Add(run, &profile);
  for (size_t i = 0; i < times.size(); ++i)
    EXPECT_EQ(profile.steps[i].time.total_ns(), times[i]) << i;
  return times;
}

using Kind = StepGroup::Kind;

TEST(Profile, AStepTakesFromTheFirstBeginToTheLastEnd) {
  EXPECT_THAT(Times({{0, 1, Kind::kShared, false}, {1, 2, Kind::kShared, true}},
                    {{1000, 1300, 300}, {1400, 1500, 100}}, {{1100, 1200, 100}, {1450, 1600, 150}}),
              ElementsAre(300, 200));
}

TEST(Profile, WhatIsAnEarlierStepsIsNotALaterOnesToo) {
  // Without a barrier: the second worker is at the second step while the first is held up.
  EXPECT_THAT(Times({{0, 1, Kind::kShared, false},
                     {1, 2, Kind::kShared, false},
                     {2, 3, Kind::kShared, false}},
                    {{1000, 1900, 900}, {0, 0, 0}, {1900, 1910, 10}},
                    {{1000, 1100, 100}, {1100, 1950, 850}, {0, 0, 0}}),
              ElementsAre(900, 50, 0));
}

TEST(Profile, StepsThatTakeTurnsShareTheTimeOfTheTurns) {
  const StepGroup rows = {0, 2, Kind::kRows, false};
  // Evenly.
  EXPECT_THAT(
      Times({rows}, {{1000, 1380, 100}, {1100, 1400, 300}}, {{1000, 1360, 90}, {1090, 1390, 300}}),
      ElementsAre(100, 300));
  // The first worker was held up in the first step, the second one in the second.
  EXPECT_THAT(
      Times({rows}, {{1000, 1900, 900}, {1900, 2000, 100}}, {{1000, 1100, 100}, {1100, 2000, 900}}),
      ElementsAre(500, 500));
  EXPECT_THAT(Times({rows}, {{0, 0, 0}, {0, 0, 0}}, {{0, 0, 0}, {0, 0, 0}}), ElementsAre(0, 0))
      << "no rows";
}

TEST(Profile, MacRowsFollowTheInput) {
  const auto reads = [](uint64_t at) { return OperandRef{Space::kArena, at, 64, false}; };
  const auto writes = [](uint64_t at) { return OperandRef{Space::kArena, at, 64, true}; };
  Program program;
  const auto add = [&](Extent extent, std::vector<OperandRef> operands) {
    program.steps.emplace_back().extent = extent;
    program.steps.back().operands = std::move(operands);
  };
  add(Extent::kOne, {reads(0), writes(64)});         // nobody wrote its input
  add(Extent::kTokens, {reads(64), writes(128)});    // norm
  add(Extent::kOne, {reads(128), writes(0)});        // matmul
  add(Extent::kLogitRows, {reads(0), writes(128)});  // last norm, into reused memory
  add(Extent::kOne, {{Space::kWeights, 0, 64, false}, reads(128), writes(192)});  // lm_head
  add(Extent::kOne, {reads(192), writes(256)});                                   // what follows it
  EXPECT_THAT(MacRows(program),
              ElementsAre(Extent::kTokens, Extent::kTokens, Extent::kTokens, Extent::kLogitRows,
                          Extent::kLogitRows, Extent::kLogitRows));
}

}  // namespace
}  // namespace weft
