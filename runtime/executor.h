// Runs a program's steps over their memory, on as many workers as asked for.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "runtime/abi/program.h"
#include "runtime/barriers.h"
#include "runtime/perf_counters.h"
#include "runtime/poison.h"
#include "runtime/profile.h"
#include "runtime/run_memory.h"
#include "runtime/step_clock.h"
#include "runtime/unit_shares.h"
#include "runtime/weight_copy.h"
#include "runtime/worker_pool.h"

namespace weft {

struct ExecutorOptions {
  // Workers, the caller among them; 0 is the caller alone. Unset: UsableCpus().
  std::optional<int> threads;
  // Check that every step touches only what it declares (poison.h). Very slow; for tests.
  bool debug_poison = false;
  // Time every step, for profile().
  bool profile = false;
  // Where set, steps are timed as well, and this is called for each run that succeeded, in order:
  // some runs later, or in FlushRuns(), on the thread that calls Run().
  std::function<void(const RunTrace&)> on_run;
  // Where steps are timed: count as well what PerfCounters can, which takes about a microsecond per
  // step and worker.
  bool count = false;
  // Where set: what moves the weights to other pages. It begins after the first run, and pauses
  // while several tokens are computed.
  // Must outlive the executor; may be null.
  WeightCopy* weight_copy = nullptr;
  // Where set (by a signal handler or another thread), Run() ends before its next step. Must
  // outlive the executor; may be null.
  const std::atomic<bool>* cancel = nullptr;
  // Where set: the map that holds the weights; runs fail once a file of it was found truncated.
  // Must outlive the executor; may be null.
  const MappedBlock* weight_block = nullptr;
};

// Owns the arena and the KV cache, both zero at first. Results do not depend on the number of
// workers: units of a step write disjoint bytes, and steps wait for each other where DeriveGroups
// says. Not for use by two threads at once.
class Executor {
 public:
  // `kernels` holds one function per step. `weights` are program.weight_bytes bytes, aligned to 64,
  // which must outlive the executor. Errors: a program that ValidateProgram refuses, kernels or
  // weights that do not fit it, arena and KV cache beyond what the machine or the control group has
  // in all, threads that cannot be had.
  static absl::StatusOr<std::unique_ptr<Executor>> Create(const Program& program,
                                                          std::vector<KernelFn> kernels,
                                                          const uint8_t* weights,
                                                          const ExecutorOptions& options);

  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  // Computes the tokens `ids` at positions `position` …, and logits for the last `logit_rows` of
  // them. Keys and values of positions before `position` must be in the cache from earlier runs.
  // Errors: InvalidArgument for ids out of the vocabulary or counts out of the program's bounds;
  // OutOfRange where the context ends; ResourceExhausted where the memory for so many positions is
  // not available; Cancelled, after which positions ≥ `position` of the cache
  // are undefined; Internal from debug_poison.
  absl::Status Run(absl::Span<const int32_t> ids, int64_t position, int64_t logit_rows);

  // Of the last Run, which must have succeeded: row 0 is the first of its `logit_rows`. Valid until
  // the next.
  absl::Span<const float> logits(int64_t row) const;
  int32_t argmax(int64_t row) const;

  // An error where one of the ids, which start at `position`, is not in the vocabulary.
  absl::Status CheckIds(absl::Span<const int32_t> ids, int64_t position) const;
  // An error where `tokens` more after `position` leave the context.
  absl::Status CheckContext(int64_t position, int64_t tokens) const;

  const Program& program() const { return program_; }
  int threads() const { return pool_->size(); }
  // How workers share the steps of a run of so many tokens, and where they meet.
  std::vector<StepGroup> groups(int64_t tokens) const;

  // Totals over the runs since creation or ResetProfile(); empty steps without options.profile.
  const Profile& profile();
  // Adds up what on_run is called with. Only of an executor that times steps.
  const Profiler& profiler() const { return *profiler_; }
  void ResetProfile();
  // Evaluates the times of runs that wait for it. They wait because what evaluating touches is not
  // in the caches between two runs that stream weights: for many runs at once it costs a few
  // microseconds a run, for each on its own a hundred.
  void FlushRuns();
  // What is counted of every worker; none without options.count.
  std::vector<Counter> counted() const;
  // Whether runs from here on are timed, of an executor that was created to. For measuring what
  // that costs.
  void TimeSteps(bool on) { timed_ = on && profiler_.has_value(); }

 private:
  struct PreparedStep {
    KernelFn kernel;
    void* const* operands;
  };
  struct PreparedGroup {
    StepGroup steps;
    size_t slot;             // of its shares; groups between two barriers have different ones
    uint64_t bytes_per_row;  // that a kRows group touches
  };
  using Groups = std::vector<PreparedGroup>;
  struct MeasuredRun {
    KernelContext context;
    Moment begin;
    Moment end;
  };

  Executor() = default;
  absl::Status CheckRun(absl::Span<const int32_t> ids, int64_t position, int64_t logit_rows) const;
  bool Cancelled() const;
  int64_t Units(size_t step, const KernelContext& context) const;
  Groups Prepare(const std::vector<StepGroup>& groups) const;
  // For a run of so many tokens.
  const Groups& GroupsOf(int64_t tokens) const { return tokens == 1 ? one_row_ : many_rows_; }
  int64_t RowsAtOnce(const PreparedGroup& group, int64_t rows) const;
  void Call(size_t step, const KernelContext& context, int64_t begin, int64_t end) const;
  template <typename Timer>
  void RunRows(const StepGroup& group, const KernelContext& context, int64_t begin, int64_t end,
               Timer& timer) const;
  template <typename Timer>
  void RunInOrder(const StepGroup& group, const KernelContext& context, Timer& timer) const;
  absl::Span<UnitShare> SharesOf(const PreparedGroup& group) const;
  void OpenShares(const Groups& groups, size_t first, const KernelContext& context);
  int64_t GrainOf(const Step& step, int64_t units, const KernelContext& context) const;
  template <typename Timer>
  void TakeUnits(int worker, const PreparedGroup& group, const KernelContext& context,
                 Timer& timer) const;
  template <typename Timer>
  void RunWorker(int worker, const KernelContext& context, Timer timer);
  void RunTimedWorker(int worker, const KernelContext& context);
  void StartTiming();
  StepInterval* IntervalsOf(size_t run) { return intervals_.data() + run * run_intervals_; }
  absl::Status RunPoisoned(const KernelContext& context);

  Program program_;
  ExecutorOptions options_;
  std::optional<RunMemory> memory_;
  std::vector<void*> operands_;  // of all steps, one after another
  std::vector<PreparedStep> steps_;
  Groups one_row_;                       // for runs of one token
  Groups many_rows_;                     // for others
  std::unique_ptr<UnitShare[]> shares_;  // [slot][worker]
  std::optional<Profiler> profiler_;     // where steps are timed
  StepClock clock_{false};
  bool timed_ = false;                   // the next run
  size_t run_intervals_ = 0;             // of one run: a step each of every worker
  std::vector<StepInterval> intervals_;  // [run][worker][step], where steps are timed; in ticks
  std::vector<PerfCounters> counters_;   // [worker], where steps are counted
  std::vector<CounterValues> counts_;    // as intervals_, where steps are counted
  std::vector<MeasuredRun> measured_;    // wait for FlushRuns(); never more than fit intervals_
  std::atomic<bool> skipped_ = false;    // a worker saw the cancel flag in this run
  std::optional<PoisonChecker> poison_;
  Profile profile_;
  int64_t logit_rows_ = 0;  // of the last run; 0 where it failed
  std::unique_ptr<WorkerPool> pool_;
};

}  // namespace weft
