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
