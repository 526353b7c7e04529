#include "tools/profile_recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include "runtime/test_kernels.h"

namespace weft::tools {
namespace {

// Two steps that do nothing, one of them called attention.
TestModel Idle(int64_t context) {
  TestModel model(4, 4, context);
  const KernelFn nothing = [](const KernelContext*, void* const*, int64_t, int64_t) {};
  const OperandRef value = model.Arena(64);
  model.Add("norm", nothing, Extent::kOne, 2, 1, {TestModel::Writes(value)});
  model.Add("attend", nothing, Extent::kOne, 2, 1, {value, model.program.logits});
  model.program.steps.back().kind = "attention";
  return model;
}

class ProfileRecorderTest : public testing::Test {
 protected:
  void Start(int64_t context, size_t kept, int threads) {
    recorder_ = std::make_unique<ProfileRecorder>(kept);
    const TestModel model = Idle(context);
    ExecutorOptions options{.on_run = recorder_->OnRun()};
    options.threads = threads;
    auto executor = Executor::Create(model.program, model.kernels, nullptr, options);
    ASSERT_TRUE(executor.ok()) << executor.status();
    executor_ = *std::move(executor);
    recorder_->SetExecutor(executor_.get());
  }
  void Run(int64_t position, size_t tokens) {
    ASSERT_TRUE(executor_->Run(std::vector<int32_t>(tokens, 1), position, 1).ok());
  }

  std::unique_ptr<ProfileRecorder> recorder_;
  std::unique_ptr<Executor> executor_;
};

TEST_F(ProfileRecorderTest, PhasesFollowEachOther) {
  Start(64, 2, 2);
  recorder_->Begin("cold");
  Run(0, 1);
  recorder_->Begin("prefill", 6);
  Run(0, 4);
  Run(4, 2);
  for (int i = 0; i < 5; ++i) Run(6 + i, 1);
  const std::vector<PhaseProfile>& phases = recorder_->phases();
  ASSERT_EQ(phases.size(), 3U);
  EXPECT_EQ(phases[0].name, "cold");
  EXPECT_EQ(phases[0].profile.runs, 1);
  EXPECT_EQ(phases[1].name, "prefill");
  EXPECT_EQ(phases[1].tokens, 6);
  EXPECT_EQ(phases[2].name, "decode");
  EXPECT_EQ(phases[2].profile.runs, 5);
  EXPECT_EQ(recorder_->token_times().points().size(), 5U);
  EXPECT_EQ(recorder_->kept().size(), 5U) << "one, two and the last two";
}

TEST_F(ProfileRecorderTest, BusyTimesOfWorkersAreThoseOfSteps) {
  Start(64, 0, 3);
  recorder_->Begin("prefill", 1);
  for (int i = 0; i < 40; ++i) Run(i, 1);
  for (const PhaseProfile& phase : recorder_->phases()) {
    ASSERT_EQ(phase.busy_ns.size(), 3U);
    int64_t workers = 0;
    for (const int64_t ns : phase.busy_ns) workers += ns;
    int64_t steps = 0;
    for (const StepProfile& step : phase.profile.steps) steps += step.busy_ns;
    EXPECT_EQ(workers, steps);
  }
}

TEST_F(ProfileRecorderTest, AttentionIsToldByContext) {
  Start(64, 0, 1);
  recorder_->SetCache({{.bytes_per_position = 10, .window = 0}});
  recorder_->Begin("prefill", 0);
  for (int i = 0; i < 20; ++i) Run(i, 1);
  const PhaseProfile& decode = recorder_->phases().at(0);
  std::vector<int64_t> runs;
  int64_t ns = 0;
  for (const auto& [positions, times] : decode.attention) {
    runs.push_back(times.time.count());
    ns += times.time.total_ns();
  }
  EXPECT_THAT(runs, testing::ElementsAre(1, 1, 2, 4, 8, 4)) << "up to 1, 2, 4, 8, 16, 32 positions";
  EXPECT_EQ(decode.attention.at(4).cache_bytes, 10 * (3 + 4));
  EXPECT_EQ(ns, decode.profile.steps[1].time.total_ns());
  EXPECT_EQ(decode.profile.steps[1].cache_bytes, 10 * 20 * 21 / 2);
  EXPECT_EQ(decode.profile.steps[0].cache_bytes, 0);
}

TEST_F(ProfileRecorderTest, ALongGenerationTakesNoMoreMemoryThanAShortOne) {
  constexpr int64_t kTokens = 100'000;
  constexpr int64_t kFew = 10'000;
  Start(kTokens, 32, 2);
  recorder_->Begin("prefill", 0);
  size_t after_few = 0;
  for (int64_t i = 0; i < kTokens; ++i) {
    Run(i, 1);
    if (i == kFew) after_few = mallinfo2().uordblks;
  }
  const size_t grown = mallinfo2().uordblks - after_few;
  // A bucket or two more in some histogram; 8 bytes a token would be 720,000.
  EXPECT_LT(grown, 16'384U);
  EXPECT_EQ(recorder_->phases().at(0).profile.runs, kTokens);
  EXPECT_EQ(recorder_->kept().size(), 32U);
  EXPECT_LE(recorder_->token_times().points().size(), TokenTimes::kMost);
}

TEST(TokenTimesTest, NeighboursBecomeOneOnceThereAreTooMany) {
  TokenTimes times;
  const auto most = static_cast<int64_t>(TokenTimes::kMost);
  for (int64_t i = 0; i < most; ++i) times.Add(static_cast<double>(i));
  EXPECT_EQ(times.points().size(), TokenTimes::kMost);
  EXPECT_EQ(times.points()[5].max_ms, 5);
  times.Add(7);
  ASSERT_EQ(times.points().size(), TokenTimes::kMost / 2 + 1);
  EXPECT_EQ(times.points()[5].tokens, 2);
  EXPECT_EQ(times.points()[5].sum_ms, 10 + 11);
  EXPECT_EQ(times.points()[5].max_ms, 11);
  EXPECT_EQ(times.points().back().tokens, 1);
  for (int64_t i = most + 1; i < 10 * most; ++i) times.Add(1);
  int64_t tokens = 0;
  for (const TokenTimes::Point& point : times.points()) tokens += point.tokens;
  EXPECT_EQ(tokens, 10 * most);
}

}  // namespace
}  // namespace weft::tools
