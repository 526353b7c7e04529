// Persistent threads that run one function together and can meet at barriers inside it.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/statusor.h>
#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace weft {

// A waiting worker spins for some microseconds and then sleeps in the kernel; with more workers
// than UsableCpus() it sleeps at once, so that an overloaded machine gets slower, not stuck.
class WorkerPool {
 public:
  static constexpr int kMaxWorkers = 1024;

  // `workers` counts the caller, who is worker 0; 0 and 1 both mean the caller alone, who needs no
  // thread. Errors: a number outside 0 … kMaxWorkers; threads that the system refuses.
  static absl::StatusOr<std::unique_ptr<WorkerPool>> Create(int workers);

  // Ends and joins the threads. Not during Run().
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // At least 1.
  int size() const { return static_cast<int>(threads_.size()) + 1; }

  // Calls fn(0) … fn(size() - 1) at the same time, each on its own thread with the default MXCSR
  // (float_environment.h), and returns when all have returned. What they wrote is visible to the
  // caller. Neither from two threads at once nor from inside `fn`.
  void Run(absl::FunctionRef<void(int)> fn);

  // Inside Run(), by all workers, equally often: returns when all have arrived and `last`, called
  // by the last of them, has returned. What any wrote before is visible to `last`, and with what
  // `last` wrote to all after it.
  void Barrier(absl::FunctionRef<void()> last);
  void Barrier() {
    Barrier([] {});
  }

 private:
  struct Thread {
    WorkerPool* pool;
    int index;
    pthread_t handle;
  };
  // A cache line of its own: spinning on one word must not slow down writes to its neighbour.
  struct alignas(64) Word {
    std::atomic<uint32_t> value = 0;
    std::atomic<uint32_t> sleepers = 0;
  };

  WorkerPool() = default;
  static void* ThreadMain(void* thread);
  void Work(int index);
  uint32_t WaitWhile(Word& word, uint32_t old) const;
  static void Wake(Word& word);

  std::vector<Thread> threads_;  // workers 1 …; never grows once a thread has its address
  uint64_t spin_cycles_ = 0;
  const absl::FunctionRef<void(int)>* job_ = nullptr;  // of the current Run(); null: end
  Word epoch_;                                         // counts Run() calls
  Word running_;                                       // threads that have not finished it
  Word arrived_;                                       // at the current barrier
  Word barrier_epoch_;                                 // counts barriers passed
};

}  // namespace weft
