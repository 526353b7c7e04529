// Workers under schedules that are rare: threads linger at every SchedulePoint() of the pool and
// the executor, and in kernels, for a time drawn by a seed. Whatever they do meanwhile, results are
// those of running the steps one after another, nobody waits for ever (ctest ends what hangs), and
// under sanitizers nothing races or leaks. `WEFT_SEED=… weft_schedule_test` repeats a run's draws.
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <numeric>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/config.h"
#include "runtime/base/test_seed.h"
#include "runtime/executor.h"
#include "runtime/sampling/random.h"
#include "runtime/schedule_point.h"
#include "runtime/test_kernels.h"
#include "runtime/worker_pool.h"

#ifdef ABSL_HAVE_ADDRESS_SANITIZER
#include <sanitizer/lsan_interface.h>
#endif

namespace weft {
namespace {

std::atomic<uint64_t> g_next_thread = 0;
std::atomic<int64_t> g_lingered = 0;

uint32_t Seed() {
  static const uint32_t seed = TestSeed();
  return seed;
}

// Of one thread.
uint64_t Draw() {
  thread_local Random random(Seed() + (g_next_thread.fetch_add(1) << 32));
  return random.Next();
}

}  // namespace

// Half the time nothing; else some spinning, the processor given away, or, rarely, a sleep longer
// than workers spin.
void SchedulePoint() {
  const uint64_t draw = Draw();
  const uint64_t kind = draw % 64;
  if (kind < 32) return;
  g_lingered.fetch_add(1, std::memory_order_relaxed);
  if (kind < 48) {
    for (uint64_t i = draw >> 32 & 255; i > 0; --i) _mm_pause();
  } else if (kind < 63) {
    sched_yield();
  } else {
    usleep(static_cast<useconds_t>(draw >> 32 & 63));
  }
}

namespace {

// Steps of all kinds: some by rows, one after another, then one that mixes all rows behind a
// barrier; at the end one value. Which step calls is the template's argument, as kernels get no
// other.
constexpr int kSteps = 24;
constexpr int64_t kRows = 12;
constexpr uint64_t kStride = 64;
constexpr size_t kWords = 8;

std::atomic<bool> g_cancel = false;
std::atomic<int> g_cancel_at = -1;    // this step sets the flag
std::atomic<int> g_announce_at = -1;  // this step waits until another thread has set it
std::atomic<bool> g_announced = false;
std::array<std::atomic<int>, kSteps> g_calls = {};

bool MixesRows(int step) { return step % 4 == 3; }

void Note(int step) {
  g_calls[static_cast<size_t>(step)].fetch_add(1, std::memory_order_relaxed);
  SchedulePoint();
  if (g_cancel_at.load(std::memory_order_relaxed) == step) g_cancel.store(true);
  if (g_announce_at.load(std::memory_order_relaxed) == step) {
    g_announced.store(true);
    while (!g_cancel.load()) sched_yield();
  }
}

template <int kStep>
void Work(const KernelContext* context, void* const* operands, int64_t begin, int64_t end) {
  Note(kStep);
  const auto* in = static_cast<const uint32_t*>(operands[0]);
  auto* out = static_cast<uint32_t*>(operands[1]);
  for (int64_t row = begin; row < end; ++row) {
    for (size_t i = 0; i < kWords; ++i) {
      const size_t at = static_cast<size_t>(row) * 16 + i;
      uint32_t value = static_cast<uint32_t>(context->position + kStep);
      if (kStep == 0) {
        value += static_cast<uint32_t>(at);
      } else if (MixesRows(kStep)) {
        for (int64_t other = 0; other < context->tokens; ++other)
          value = value * 31 + in[static_cast<size_t>(other) * 16 + i];
        value += static_cast<uint32_t>(row);
      } else {
        value += in[at] * 0x85ebca6bu;
      }
      out[at] = value;
    }
  }
}

void Fold(const KernelContext* context, void* const* operands, int64_t, int64_t) {
  uint32_t hash = 1;
  for (int64_t row = 0; row < context->tokens; ++row) {
    for (size_t i = 0; i < kWords; ++i)
      hash =
          hash * 31 + static_cast<const uint32_t*>(operands[0])[static_cast<size_t>(row) * 16 + i];
  }
  *static_cast<uint32_t*>(operands[1]) = hash;
}

TestModel MixedModel() {
  TestModel model(kRows);
  std::array<OperandRef, 2> buffers = {model.Arena(kRows * kStride), model.Arena(kRows * kStride)};
  for (OperandRef& buffer : buffers) buffer.stride = kStride;
  const auto add = [&]<int... kStep>(std::integer_sequence<int, kStep...>) {
    (
        [&] {
          OperandRef in = buffers[kStep % 2];
          OperandRef out = TestModel::Writes(buffers[(kStep + 1) % 2]);
          if (MixesRows(kStep)) in.stride = 0;
          model.Add("step", Work<kStep>, Extent::kTokens, 1, 1 + kStep % 3, {in, out});
        }(),
        ...);
  };
  add(std::make_integer_sequence<int, kSteps>());
  OperandRef last = buffers[kSteps % 2];
  last.stride = 0;
  model.Add("fold", Fold, Extent::kOne, 1, 1, {last, model.program.argmax});
  return model;
}

// The kernels one after another, with nothing of the executor.
int32_t Sequentially(const TestModel& model, int64_t rows, int64_t position) {
  std::vector<uint64_t> arena(model.program.arena_bytes / 8);
  const KernelContext context = {rows, 1, position};
  for (size_t i = 0; i < model.kernels.size(); ++i) {
    std::vector<void*> operands;
    for (const OperandRef& operand : model.program.steps[i].operands)
      operands.push_back(reinterpret_cast<uint8_t*>(arena.data()) + operand.offset);
    model.kernels[i](&context, operands.data(), 0,
                     model.program.steps[i].extent == Extent::kOne ? 1 : rows);
  }
  return static_cast<int32_t>(arena[model.program.argmax.offset / 8]);
}

std::unique_ptr<Executor> Make(const TestModel& model, int threads,
                               const std::atomic<bool>* cancel = nullptr) {
  ExecutorOptions options;
  options.threads = threads;
  options.cancel = cancel;
  auto executor = Executor::Create(model.program, model.kernels, nullptr, options);
  EXPECT_TRUE(executor.ok()) << executor.status();
  return executor.ok() ? *std::move(executor) : nullptr;
}

class ScheduleTest : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    Seed();
    g_cancel = false;
    g_cancel_at = g_announce_at = -1;
    g_announced = false;
  }
  static int Rounds(int few, int many) { return GetParam() > 8 ? few : many; }
};
INSTANTIATE_TEST_SUITE_P(Workers, ScheduleTest, testing::Values(0, 1, 2, 4, 8, 64));

TEST_P(ScheduleTest, BarriersMeet) {
  const auto pool = WorkerPool::Create(GetParam());
  ASSERT_TRUE(pool.ok()) << pool.status();
  const int size = (*pool)->size();
  std::vector<int> cells(static_cast<size_t>(size));
  std::vector<int> wrong(static_cast<size_t>(size));
  const int64_t before = g_lingered.load();
  for (int run = 0; run < 100 && size > 1; ++run) (*pool)->Run([&](int) { (*pool)->Barrier(); });
  EXPECT_EQ(g_lingered.load() > before, size > 1) << "the points are not compiled in";
  for (int run = 0; run < Rounds(5, 30); ++run) {
    int sum = 0;
    (*pool)->Run([&](int worker) {
      for (int round = 0; round < 10; ++round) {
        cells[static_cast<size_t>(worker)] = round + worker;
        SchedulePoint();
        (*pool)->Barrier([&] { sum = std::accumulate(cells.begin(), cells.end(), 0); });
        if (sum != round * size + size * (size - 1) / 2) ++wrong[static_cast<size_t>(worker)];
        (*pool)->Barrier();
      }
    });
  }
  for (const int count : wrong) EXPECT_EQ(count, 0);
}

TEST_P(ScheduleTest, ResultsAreThoseOfStepAfterStep) {
  const TestModel model = MixedModel();
  const auto executor = Make(model, GetParam());
  ASSERT_NE(executor, nullptr);
  for (int round = 0; round < Rounds(5, 40); ++round) {
    for (const int64_t rows : {int64_t{1}, int64_t{2}, int64_t{7}, kRows}) {
      const std::vector<int32_t> ids(static_cast<size_t>(rows), 1);
      ASSERT_TRUE(executor->Run(ids, round, 1).ok());
      ASSERT_EQ(executor->argmax(0), Sequentially(model, rows, round)) << rows << " rows";
    }
  }
}

TEST_P(ScheduleTest, SeveralExecutorsAtOnce) {
  const TestModel model = MixedModel();
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      const auto executor = Make(model, GetParam());
      ASSERT_NE(executor, nullptr);
      const std::vector<int32_t> ids(static_cast<size_t>(1 + 3 * i), 1);
      for (int round = 0; round < Rounds(3, 15); ++round) {
        ASSERT_TRUE(executor->Run(ids, round, 1).ok());
        ASSERT_EQ(executor->argmax(0), Sequentially(model, 1 + 3 * i, round));
      }
    });
  }
}

// By a kernel of each step in turn, and by another thread while a kernel of that step runs. What
// stands behind the next barrier must not begin; and afterwards all is as before.
TEST_P(ScheduleTest, CancelledAtEveryStep) {
  const TestModel model = MixedModel();
  const auto executor = Make(model, GetParam(), &g_cancel);
  ASSERT_NE(executor, nullptr);
  for (const bool from_outside : {false, true}) {
    for (const int64_t rows : {int64_t{1}, kRows}) {
      const std::vector<int32_t> ids(static_cast<size_t>(rows), 1);
      const std::vector<StepGroup> groups = executor->groups(rows);
      for (int step = 0; step < kSteps; ++step) {
        (from_outside ? g_announce_at : g_cancel_at) = step;
        for (std::atomic<int>& calls : g_calls) calls = 0;
        absl::Status status;
        {
          std::jthread other;
          if (from_outside) {
            other = std::jthread([] {
              while (!g_announced.load()) sched_yield();
              SchedulePoint();
              g_cancel.store(true);
            });
          }
          status = executor->Run(ids, 0, 1);
        }
        // The flag is looked at before each group of steps but the first.
        size_t group = 0;
        while (groups[group].end <= static_cast<size_t>(step)) ++group;
        if (group + 1 < groups.size()) {
          EXPECT_EQ(status.code(), absl::StatusCode::kCancelled) << "step " << step;
        } else {
          EXPECT_TRUE(status.ok() || absl::IsCancelled(status)) << status;
        }
        for (size_t barriers = 0, g = group + 1; g < groups.size(); ++g) {
          barriers += groups[g].barrier ? 1 : 0;
          if (barriers == 0) continue;
          for (size_t i = groups[g].begin; i < std::min<size_t>(groups[g].end, kSteps); ++i)
            EXPECT_EQ(g_calls[i].load(), 0) << "step " << i << " after cancelling at " << step;
        }
        g_cancel_at = g_announce_at = -1;
        g_cancel = g_announced = false;
        ASSERT_TRUE(executor->Run(ids, step, 1).ok());
        ASSERT_EQ(executor->argmax(0), Sequentially(model, rows, step));
      }
    }
  }
}

TEST(Schedule, PoolsCreatedAndDestroyedTenThousandTimes) {
  Seed();
  for (int i = 0; i < 10'000; ++i) {
    const auto pool = WorkerPool::Create(1 + i % 4);
    ASSERT_TRUE(pool.ok()) << pool.status();
    if (i % 2 == 0) continue;  // destroyed before its threads have begun
    std::atomic<int> calls = 0;
    (*pool)->Run([&](int) { calls.fetch_add(1); });
    ASSERT_EQ(calls.load(), (*pool)->size());
  }
}

TEST(Schedule, ExecutorsCreatedAndDestroyedWhileOthersRun) {
  Seed();
  const TestModel model = MixedModel();
  const int32_t expected = Sequentially(model, kRows, 0);
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 100; ++round) {
        const auto executor = Make(model, (round + i) % 9);
        ASSERT_NE(executor, nullptr);
        if (round % 3 == 0) continue;
        ASSERT_TRUE(executor->Run(std::vector<int32_t>(kRows, 1), 0, 1).ok());
        ASSERT_EQ(executor->argmax(0), expected);
      }
    });
  }
}

#ifdef ABSL_HAVE_ADDRESS_SANITIZER
// That leaks would be seen at all: the sanitizer looks for them at the end, and finds this one now.
TEST(Schedule, TheSanitizerSeesLeaks) {
  // Kept where it does not look for pointers: in a number with other bits.
  constexpr uintptr_t kHidden = ~uintptr_t{0};
  static uintptr_t hidden = reinterpret_cast<uintptr_t>(new int[1000]) ^ kHidden;
  // The stack and registers may still hold the pointer.
  std::thread([] { EXPECT_NE(__lsan_do_recoverable_leak_check(), 0); }).join();
  delete[] reinterpret_cast<int*>(hidden ^ kHidden);
  EXPECT_EQ(__lsan_do_recoverable_leak_check(), 0);
}
#endif

}  // namespace
}  // namespace weft
