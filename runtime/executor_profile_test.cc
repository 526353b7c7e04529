// What an executor that times its steps tells of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

#include "absl/base/config.h"
#include "runtime/executor.h"
#include "runtime/test_kernels.h"

namespace weft {
namespace {

ExecutorOptions Threads(int threads) {
  ExecutorOptions options;
  options.threads = threads;
  return options;
}

std::unique_ptr<Executor> Make(const TestModel& model, const ExecutorOptions& options) {
  auto executor = Executor::Create(model.program, model.kernels, nullptr, options);
  EXPECT_TRUE(executor.ok()) << executor.status();
  return executor.ok() ? *std::move(executor) : nullptr;
}

class ExecutorProfileTest : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Workers, ExecutorProfileTest, testing::Values(0, 1, 2, 4, 8, 64));

TEST_P(ExecutorProfileTest, ProfileAccountsForTheRuns) {
  TestModel model = CountingModel();
  const KernelFn slow = [](const KernelContext*, void* const*, int64_t, int64_t) {
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
  };
  model.Add("slow", slow, Extent::kOne, 1, 1, {TestModel::Writes(model.program.argmax)});
  model.program.weight_bytes = 0;
  model.program.steps.back().weight_bytes = 1000;
  model.program.steps.back().macs_per_row = 10;
  ExecutorOptions options = Threads(GetParam());
  options.profile = true;
  const auto executor = Make(model, options);
  ASSERT_NE(executor, nullptr);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(executor->Run({1, 2}, 0, 1).ok());
  const Profile& profile = executor->profile();
  EXPECT_EQ(profile.runs, 3);
  ASSERT_EQ(profile.steps.size(), 4u);
  const StepProfile& step = profile.steps[3];
  EXPECT_EQ(step.time.count(), 3);
  EXPECT_GE(step.time.min_ns(), 3'000'000);
  EXPECT_LE(step.time.min_ns(), step.time.max_ns());
  EXPECT_LE(3 * step.time.min_ns(), step.time.total_ns());
  EXPECT_LE(step.time.total_ns(), profile.total_ns);
  EXPECT_EQ(step.weight_bytes, 3000);
  EXPECT_EQ(step.macs, 3 * 10 * 2) << "two rows each";
  EXPECT_EQ(profile.steps[0].time.count(), 3);
  EXPECT_LT(profile.steps[0].time.min_ns(), 3'000'000);
  executor->ResetProfile();
  EXPECT_EQ(executor->profile().runs, 0);
  ASSERT_TRUE(executor->Run({1}, 0, 1).ok());
  EXPECT_EQ(executor->profile().steps[3].time.count(), 1);
}

TEST_P(ExecutorProfileTest, TimingChangesNoResult) {
  ExecutorOptions options = Threads(GetParam());
  options.profile = true;
  const auto timed = Make(CountingModel(), options);
  const auto untimed = Make(CountingModel(), Threads(GetParam()));
  ASSERT_TRUE(timed != nullptr && untimed != nullptr);
  for (int64_t position = 0; position < 60; position += 3) {
    const std::vector<int32_t> ids = {1, static_cast<int32_t>(position % 7), 4};
    ASSERT_TRUE(timed->Run(ids, position, 3).ok());
    ASSERT_TRUE(untimed->Run(ids, position, 3).ok());
    for (int64_t row = 0; row < 3; ++row) {
      EXPECT_EQ(timed->logits(row), untimed->logits(row));
      EXPECT_EQ(timed->argmax(row), untimed->argmax(row));
    }
  }
}

TEST_P(ExecutorProfileTest, EveryTimedRunIsEvaluatedOnceInOrder) {
  std::vector<int64_t> positions;
  ExecutorOptions options = Threads(GetParam());
  options.profile = true;
  int64_t end_ns = 0;
  options.on_run = [&](const RunTrace& run) {
    positions.push_back(run.context.position);
    EXPECT_GE(run.begin_ns, end_ns);
    end_ns = run.end_ns;
    for (const StepInterval& interval : run.intervals) {
      if (interval.end_ns == 0) continue;
      EXPECT_GE(interval.begin_ns, run.begin_ns);
      EXPECT_LE(interval.begin_ns, interval.end_ns);
      EXPECT_LE(interval.end_ns, run.end_ns);
      EXPECT_LE(interval.busy_ns, interval.end_ns - interval.begin_ns + 1) << "but for rounding";
    }
  };
  constexpr int64_t kContext = 200;
  const auto executor = Make(CountingModel(4, 4, kContext), options);
  ASSERT_NE(executor, nullptr);
  std::vector<int64_t> expected;
  for (int64_t i = 0; i < kContext; ++i) {
    executor->TimeSteps(i % 10 != 3);
    if (i % 10 != 3) expected.push_back(i);
    ASSERT_TRUE(executor->Run({1}, i, 1).ok());
    EXPECT_FALSE(executor->Run({1}, kContext, 1).ok()) << "and this one is not evaluated";
  }
  EXPECT_LT(positions.size(), expected.size()) << "the last ones wait";
  executor->FlushRuns();
  EXPECT_EQ(positions, expected);
  EXPECT_EQ(executor->profile().runs, static_cast<int64_t>(expected.size()));
}

TEST(ExecutorProfile, WithoutProfileThereIsNone) {
  const auto executor = Make(CountingModel(), Threads(1));
  ASSERT_NE(executor, nullptr);
  ASSERT_TRUE(executor->Run({1}, 0, 1).ok());
  EXPECT_EQ(executor->profile().runs, 0);
  EXPECT_TRUE(executor->profile().steps.empty());
}

TEST_P(ExecutorProfileTest, FaultsAreCountedForTheStepThatCausesThem) {
  constexpr int64_t kPages = 64;
  TestModel model = CountingModel();
  // Touches as many pages as it has units, which are new every time.
  const KernelFn faulting = [](const KernelContext*, void* const*, int64_t begin, int64_t end) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t bytes = static_cast<size_t>(end - begin) * page;
    void* const memory =
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return;
    (void)madvise(memory, bytes, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < bytes; i += page) static_cast<volatile char*>(memory)[i] = 1;
    (void)munmap(memory, bytes);
  };
  model.Add("faulting", faulting, Extent::kOne, kPages, 4,
            {TestModel::Writes(model.program.argmax)});
  ExecutorOptions options = Threads(GetParam());
  options.profile = true;
  options.count = true;
  const auto executor = Make(model, options);
  ASSERT_NE(executor, nullptr);
  const std::vector<Counter> counted = executor->counted();
  if (std::find(counted.begin(), counted.end(), Counter::kPageFaults) == counted.end())
    GTEST_SKIP() << "not permitted here";
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(executor->Run({1, 2}, 0, 1).ok());
  const Profile& profile = executor->profile();
  constexpr auto kFaults = static_cast<size_t>(Counter::kPageFaults);
  EXPECT_GE(profile.steps[3].counts[kFaults], uint64_t{3 * kPages});
#ifndef ABSL_HAVE_THREAD_SANITIZER  // whose shadow memory is new as well
  EXPECT_LT(profile.steps[3].counts[kFaults], uint64_t{3 * kPages + 100});
#endif
  EXPECT_LT(profile.steps[0].counts[kFaults], uint64_t{kPages});
}

TEST(ExecutorProfile, NothingIsCountedUnlessAskedFor) {
  ExecutorOptions options = Threads(2);
  options.on_run = [](const RunTrace& run) { EXPECT_TRUE(run.counts.empty()); };
  const auto executor = Make(CountingModel(), options);
  ASSERT_NE(executor, nullptr);
  EXPECT_TRUE(executor->counted().empty());
  ASSERT_TRUE(executor->Run({1}, 0, 1).ok());
  executor->FlushRuns();
}

}  // namespace
}  // namespace weft
