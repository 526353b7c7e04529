#include "runtime/worker_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "runtime/float_environment.h"

namespace weft {
namespace {

using testing::HasSubstr;

class WorkerPoolTest : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    auto pool = WorkerPool::Create(GetParam());
    ASSERT_TRUE(pool.ok()) << pool.status();
    pool_ = *std::move(pool);
  }

  std::unique_ptr<WorkerPool> pool_;
};

INSTANTIATE_TEST_SUITE_P(Workers, WorkerPoolTest, testing::Values(0, 1, 2, 4, 8, 64));

TEST_P(WorkerPoolTest, EveryWorkerRunsOncePerRun) {
  ASSERT_EQ(pool_->size(), std::max(GetParam(), 1));
  std::vector<int> calls(static_cast<size_t>(pool_->size()));  // no atomics: Run() publishes
  std::vector<std::thread::id> threads(calls.size());
  constexpr int kRuns = 100;
  for (int run = 0; run < kRuns; ++run) {
    pool_->Run([&](int worker) {
      const auto w = static_cast<size_t>(worker);
      ++calls[w];
      if (run == 0) threads[w] = std::this_thread::get_id();
      EXPECT_EQ(threads[w], std::this_thread::get_id()) << "workers stay on their threads";
    });
    for (const int n : calls) EXPECT_EQ(n, run + 1);
  }
  EXPECT_EQ(threads[0], std::this_thread::get_id());
}

// Each worker writes its cell, and after the barrier reads its neighbour's: a torn barrier shows as
// a stale value, and as a data race to the thread sanitizer.
TEST_P(WorkerPoolTest, BarrierPublishes) {
  const auto size = static_cast<size_t>(pool_->size());
  std::vector<int> cells(size);
  std::vector<int> wrong(size);
  const int rounds = size > 8 ? 20 : 300;
  for (int run = 0; run < 3; ++run) {
    pool_->Run([&](int worker) {
      const auto w = static_cast<size_t>(worker);
      for (int round = 0; round < rounds; ++round) {
        cells[w] = round;
        pool_->Barrier();
        if (cells[(w + 1) % size] != round) ++wrong[w];
        pool_->Barrier();
      }
    });
  }
  for (const int n : wrong) EXPECT_EQ(n, 0);
}

// What all have added up to when the last one comes is complete, and what it makes of that is there
// for all when they go on.
TEST_P(WorkerPoolTest, TheLastToArriveActsForAll) {
  const int size = pool_->size();
  std::vector<int> cells(static_cast<size_t>(size));
  std::vector<int> wrong(static_cast<size_t>(size));
  const int rounds = size > 8 ? 20 : 300;
  int sum = 0;
  int calls = 0;
  pool_->Run([&](int worker) {
    const auto w = static_cast<size_t>(worker);
    for (int round = 0; round < rounds; ++round) {
      cells[w] = round + worker;
      pool_->Barrier([&] {
        ++calls;
        sum = std::accumulate(cells.begin(), cells.end(), 0);
      });
      if (sum != round * size + size * (size - 1) / 2) ++wrong[w];
      pool_->Barrier();
    }
  });
  EXPECT_EQ(calls, rounds);
  for (const int n : wrong) EXPECT_EQ(n, 0);
}

TEST_P(WorkerPoolTest, WorkersThatSleptWakeUp) {
  const auto pause = [] { std::this_thread::sleep_for(std::chrono::milliseconds(2)); };
  std::atomic<int> calls = 0;
  for (int run = 0; run < 5; ++run) {
    pause();
    pool_->Run([&](int worker) {
      if (worker == run % pool_->size()) pause();  // the others sleep at the barrier
      pool_->Barrier();
      if (worker != 0) calls.fetch_add(1);
      if (worker == pool_->size() - 1) pause();  // the caller sleeps until the end
    });
  }
  EXPECT_EQ(calls.load(), 5 * (pool_->size() - 1));
}

TEST_P(WorkerPoolTest, FloatEnvironmentIsTheDefaultInsideAndUntouchedOutside) {
  constexpr unsigned kFlushAndTruncate = 0x8040 | 0x6000;  // FTZ, DAZ, round toward zero
  const unsigned before = _mm_getcsr();
  _mm_setcsr(kDefaultMxcsr | kFlushAndTruncate);
  {
    auto pool = WorkerPool::Create(GetParam());  // its threads inherit what the caller has
    ASSERT_TRUE(pool.ok());
    _mm_setcsr(kDefaultMxcsr | kFlushAndTruncate);  // without flags that making it may raise
    std::vector<unsigned> seen(static_cast<size_t>((*pool)->size()));
    for (int run = 0; run < 2; ++run) {
      (*pool)->Run([&](int worker) {
        seen[static_cast<size_t>(worker)] = _mm_getcsr();
        _mm_setcsr(kDefaultMxcsr | kFlushAndTruncate);  // must not last until the next run
      });
      for (const unsigned mxcsr : seen) EXPECT_EQ(mxcsr, 0x1f80u);
    }
  }
  EXPECT_EQ(_mm_getcsr(), kDefaultMxcsr | kFlushAndTruncate);
  _mm_setcsr(before);
}

TEST(WorkerPool, CreateAndDestroyAThousandTimes) {
  for (int i = 0; i < 1000; ++i) {
    auto pool = WorkerPool::Create(i % 5);
    ASSERT_TRUE(pool.ok());
    if (i % 2 == 0) continue;
    std::atomic<int> calls = 0;
    (*pool)->Run([&](int) { calls.fetch_add(1); });
    EXPECT_EQ(calls.load(), (*pool)->size());
  }
}

TEST(WorkerPool, NumbersThatNoOneMeans) {
  EXPECT_THAT(std::string(WorkerPool::Create(-1).status().message()), HasSubstr("-1 threads"));
  EXPECT_FALSE(WorkerPool::Create(WorkerPool::kMaxWorkers + 1).ok());
}

TEST(WorkerPool, ThreadsThatCannotBeHadAreAStatus) {
  pthread_attr_t saved;
  pthread_attr_t huge;
  ASSERT_EQ(pthread_getattr_default_np(&saved), 0);
  ASSERT_EQ(pthread_attr_init(&huge), 0);
  // A stack of 2^46 bytes fits no process: its mapping fails, as it does when memory is short.
  ASSERT_EQ(pthread_attr_setstacksize(&huge, size_t{1} << 46), 0);
  ASSERT_EQ(pthread_setattr_default_np(&huge), 0);
  const auto pool = WorkerPool::Create(3);
  ASSERT_EQ(pthread_setattr_default_np(&saved), 0);
  pthread_attr_destroy(&huge);
  pthread_attr_destroy(&saved);
  EXPECT_THAT(std::string(pool.status().message()), HasSubstr("cannot start thread 2 of 3"));
}

}  // namespace
}  // namespace weft
