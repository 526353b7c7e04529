#include "runtime/worker_pool.h"

#include <absl/cleanup/cleanup.h>
#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <immintrin.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>

#include "runtime/abi/check.h"
#include "runtime/abi/program.h"
#include "runtime/base/cpu.h"
#include "runtime/float_environment.h"
#include "runtime/schedule_point.h"

namespace weft {
namespace {

// About 10 µs at 2–4 GHz: longer than a worker needs for its last 64 KiB grain of a matmul (6 µs at
// 10 GB/s), so that barriers between matmuls do not sleep, and about what sleeping and waking cost,
// so that spinning in vain at most doubles the wait.
constexpr uint64_t kSpinCycles = 30'000;

// Twice what a kernel takes, where `ulimit -s` gives less.
constexpr size_t kLeastStackBytes = 2 * kKernelStackBytes;

int StartThread(pthread_t* thread, void* (*body)(void*), void* argument) {
  pthread_attr_t attributes;
  if (const int error = pthread_attr_init(&attributes); error != 0) return error;
  const absl::Cleanup destroy = [&attributes] { pthread_attr_destroy(&attributes); };
  size_t bytes = 0;
  int error = pthread_attr_getstacksize(&attributes, &bytes);
  if (error == 0 && bytes < kLeastStackBytes)
    error = pthread_attr_setstacksize(&attributes, kLeastStackBytes);
  return error != 0 ? error : pthread_create(thread, &attributes, body, argument);
}

}  // namespace

absl::StatusOr<std::unique_ptr<WorkerPool>> WorkerPool::Create(int workers) {
  if (workers < 0 || workers > kMaxWorkers) {
    return absl::InvalidArgumentError(
        absl::StrCat(workers, " threads asked for; use 1 to ", kMaxWorkers, " (-t)"));
  }
  auto pool = std::unique_ptr<WorkerPool>(new WorkerPool());
  if (workers <= 1) return pool;
  if (workers <= UsableCpus()) pool->spin_cycles_ = kSpinCycles;
  pool->threads_.reserve(static_cast<size_t>(workers) - 1);
  for (int index = 1; index < workers; ++index) {
    Thread& thread = pool->threads_.emplace_back(Thread{pool.get(), index, pthread_t{}});
    const int error = StartThread(&thread.handle, ThreadMain, &thread);
    if (error != 0) {
      pool->threads_.pop_back();
      return absl::ErrnoToStatus(
          error, absl::StrCat("cannot start thread ", index + 1, " of ", workers,
                              " (use fewer with -t, or raise the limit: ulimit -u)"));
    }
  }
  return pool;
}

WorkerPool::~WorkerPool() {
  job_ = nullptr;
  epoch_.value.fetch_add(1);
  Wake(epoch_);
  for (const Thread& thread : threads_) WEFT_CHECK(pthread_join(thread.handle, nullptr) == 0);
}

void* WorkerPool::ThreadMain(void* thread) {
  const auto* self = static_cast<const Thread*>(thread);
  char name[16];  // the kernel's limit, terminator included
  std::snprintf(name, sizeof name, "weft-%d", self->index);
  (void)pthread_setname_np(pthread_self(), name);  // for top and profilers, so it may fail
  self->pool->Work(self->index);
  return nullptr;
}

void WorkerPool::Work(int index) {
  uint32_t epoch = 0;
  for (;;) {
    epoch = WaitWhile(epoch_, epoch);
    if (job_ == nullptr) return;
    {
      const ScopedFloatEnvironment environment;
      (*job_)(index);
    }
    SchedulePoint();
    if (running_.value.fetch_sub(1) == 1) Wake(running_);
  }
}

void WorkerPool::Run(absl::FunctionRef<void(int)> fn) {
  job_ = &fn;
  if (!threads_.empty()) {
    running_.value.store(static_cast<uint32_t>(threads_.size()), std::memory_order_relaxed);
    epoch_.value.fetch_add(1);
    SchedulePoint();
    Wake(epoch_);
  }
  {
    const ScopedFloatEnvironment environment;
    fn(0);
  }
  uint32_t running = running_.value.load(std::memory_order_acquire);
  while (running != 0) running = WaitWhile(running_, running);
}

void WorkerPool::Barrier(absl::FunctionRef<void()> last) {
  if (threads_.empty()) {
    last();
    return;
  }
  const uint32_t epoch = barrier_epoch_.value.load(std::memory_order_relaxed);
  SchedulePoint();
  if (arrived_.value.fetch_add(1, std::memory_order_acq_rel) < threads_.size()) {
    WaitWhile(barrier_epoch_, epoch);
    return;
  }
  last();
  SchedulePoint();
  arrived_.value.store(0, std::memory_order_relaxed);
  barrier_epoch_.value.store(epoch + 1);
  Wake(barrier_epoch_);
}

// Returns the value, once it differs from `old`.
uint32_t WorkerPool::WaitWhile(Word& word, uint32_t old) const {
  uint32_t value = word.value.load(std::memory_order_acquire);
  if (spin_cycles_ > 0) {
    for (const uint64_t start = __rdtsc(); value == old && __rdtsc() - start < spin_cycles_;) {
      _mm_pause();
      value = word.value.load(std::memory_order_acquire);
    }
  }
  if (value != old) return value;
  // Whoever changes the value looks for sleepers after that; a sleeper looks at the value after it
  // has counted itself, and the kernel does once more before it sleeps. All of this is
  // sequentially consistent: a store that is only a release may become visible after the look at
  // the sleepers, and both miss each other.
  SchedulePoint();
  word.sleepers.fetch_add(1);
  SchedulePoint();
  while ((value = word.value.load()) == old) {
    SchedulePoint();
    // Errors are a value that has changed meanwhile and signals: both mean to look again.
    (void)syscall(SYS_futex, &word.value, FUTEX_WAIT_PRIVATE, old, nullptr, nullptr, 0);
  }
  word.sleepers.fetch_sub(1);
  return value;
}

// After a change of the value.
void WorkerPool::Wake(Word& word) {
  SchedulePoint();
  if (word.sleepers.load() == 0) return;
  (void)syscall(SYS_futex, &word.value, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace weft
