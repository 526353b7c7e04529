#include "runtime/executor.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "runtime/abi/check.h"
#include "runtime/base/cpu.h"
#include "runtime/plan/validate_program.h"
#include "runtime/stack_room.h"
#include "runtime/step_timer.h"

namespace weft {
absl::StatusOr<std::unique_ptr<Executor>> Executor::Create(const Program& program,
                                                           std::vector<KernelFn> kernels,
                                                           const uint8_t* weights,
                                                           const ExecutorOptions& options) {
  if (absl::Status status = ValidateProgram(program); !status.ok()) return status;
  if (kernels.size() != program.steps.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(kernels.size(), " kernels for a program of ", program.steps.size(), " steps"));
  }
  for (size_t i = 0; i < kernels.size(); ++i) {
    if (kernels[i] != nullptr) continue;
    return absl::InvalidArgumentError(absl::StrCat("no kernel '", program.steps[i].kernel,
                                                   "' for step '", program.steps[i].name, "'"));
  }
  constexpr uintptr_t kAlignment = 64;  // of every address that the planner assigns
  if ((weights == nullptr && program.weight_bytes > 0) ||
      reinterpret_cast<uintptr_t>(weights) % kAlignment != 0) {
    return absl::InvalidArgumentError("the weights are missing or not aligned to 64 bytes");
  }

  auto executor = std::unique_ptr<Executor>(new Executor());
  executor->program_ = program;
  executor->options_ = options;
  absl::StatusOr<RunMemory> memory = RunMemory::Map(program);
  if (!memory.ok()) return memory.status();
  executor->memory_ = *std::move(memory);

  // Generated code takes void* for every operand; ValidateProgram refuses writes to weights.
  const std::array<uint8_t*, 3> spaces = {executor->memory_->arena(), const_cast<uint8_t*>(weights),
                                          executor->memory_->kv()};
  size_t operands = 0;
  for (const Step& step : program.steps) operands += step.operands.size();
  executor->operands_.reserve(operands);  // never grows: steps point into it
  for (size_t i = 0; i < program.steps.size(); ++i) {
    void* const* first = executor->operands_.data() + executor->operands_.size();
    for (const OperandRef& operand : program.steps[i].operands) {
      executor->operands_.push_back(spaces[static_cast<size_t>(operand.space)] + operand.offset);
    }
    executor->steps_.push_back({kernels[i], first});
  }

  const int threads =
      options.threads.value_or(std::min<int>(UsableCpus(), WorkerPool::kMaxWorkers));
  absl::StatusOr<std::unique_ptr<WorkerPool>> pool = WorkerPool::Create(threads);
  if (!pool.ok()) return pool.status();
  executor->pool_ = *std::move(pool);
  executor->one_row_ = executor->Prepare(DeriveGroups(program, /*one_row=*/true));
  executor->many_rows_ = executor->Prepare(DeriveGroups(program, /*one_row=*/false));
  size_t slots = 0;
  for (const Groups* groups : {&executor->one_row_, &executor->many_rows_}) {
    for (const PreparedGroup& group : *groups) slots = std::max(slots, group.slot + 1);
  }
  executor->shares_ =
      std::make_unique<UnitShare[]>(slots * static_cast<size_t>(executor->threads()));
  if (options.debug_poison) {
    absl::StatusOr<PoisonChecker> poison =
        PoisonChecker::Create(program, executor->memory_->arena(), executor->memory_->kv());
    if (!poison.ok()) return poison.status();
    executor->poison_ = *std::move(poison);
  }
  if (options.profile || options.on_run) executor->StartTiming();
  return executor;
}

void Executor::StartTiming() {
  constexpr size_t kMostRuns = 32;
  constexpr size_t kMostIntervals = (1 << 20) / sizeof(StepInterval);
  run_intervals_ = steps_.size() * static_cast<size_t>(threads());
  const size_t runs =
      std::clamp<size_t>(kMostIntervals / std::max<size_t>(1, run_intervals_), 1, kMostRuns);
  intervals_.resize(runs * run_intervals_);
  measured_.reserve(runs);
  profiler_.emplace(program_, groups(1), groups(2));
  clock_ = StepClock(CounterIsClock());
  if (options_.count) {
    std::vector<std::optional<PerfCounters>> opened(static_cast<size_t>(threads()));
    pool_->Run(
        [&](int worker) { opened[static_cast<size_t>(worker)].emplace(PerfCounters::Open()); });
    for (std::optional<PerfCounters>& counters : opened) counters_.push_back(*std::move(counters));
    counts_.resize(intervals_.size());
  }
  TimeSteps(true);
  ResetProfile();
}

std::vector<Counter> Executor::counted() const {
  std::vector<Counter> counted;
  for (size_t i = 0; i < kCounters && !counters_.empty(); ++i) {
    const auto counter = static_cast<Counter>(i);
    const auto has = [counter](const PerfCounters& counters) { return counters.Has(counter); };
    if (std::all_of(counters_.begin(), counters_.end(), has)) counted.push_back(counter);
  }
  return counted;
}

absl::Status Executor::CheckIds(absl::Span<const int32_t> ids, int64_t position) const {
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] >= 0 && ids[i] < program_.vocab) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("token id ", ids[i], " (at position ", position + static_cast<int64_t>(i),
                     ") is not in the model's vocabulary of ", program_.vocab));
  }
  return absl::OkStatus();
}

absl::Status Executor::CheckContext(int64_t position, int64_t tokens) const {
  if (position < 0) {
    return absl::InvalidArgumentError(absl::StrCat("position ", position, " is negative"));
  }
  if (tokens <= program_.context - position) return absl::OkStatus();
  return absl::OutOfRangeError(absl::StrCat(
      tokens, " tokens after position ", position, " do not fit the context of ", program_.context,
      " tokens (compile it for a larger one with -c, up to what the model was trained for)"));
}

absl::Status Executor::CheckRun(absl::Span<const int32_t> ids, int64_t position,
                                int64_t logit_rows) const {
  const auto tokens = static_cast<int64_t>(ids.size());
  if (tokens < 1 || tokens > program_.max_tokens) {
    return absl::InvalidArgumentError(
        absl::StrCat("a run of ", tokens, " tokens; it takes 1 to ", program_.max_tokens));
  }
  if (logit_rows < 1 || logit_rows > std::min(tokens, program_.max_logit_rows)) {
    return absl::InvalidArgumentError(absl::StrCat("logits for ", logit_rows, " rows of a run of ",
                                                   tokens, " tokens; it gives 1 to ",
                                                   std::min(tokens, program_.max_logit_rows)));
  }
  if (absl::Status status = CheckIds(ids, position); !status.ok()) return status;
  if (absl::Status status = CheckContext(position, tokens); !status.ok()) return status;
  return CheckStackRoom(kKernelStackBytes);  // this thread works as well
}

absl::Status Executor::Run(absl::Span<const int32_t> ids, int64_t position, int64_t logit_rows) {
  if (absl::Status status = CheckRun(ids, position, logit_rows); !status.ok()) return status;
  const KernelContext context = {static_cast<int64_t>(ids.size()), logit_rows, position};
  if (absl::Status status = memory_->FindRoom(context); !status.ok()) return status;
  const Moment begin = timed_ ? clock_.Now() : Moment();
  if (poison_.has_value()) poison_->BeginRun(program_);
  std::memcpy(memory_->arena() + program_.tokens.offset, ids.data(), ids.size() * sizeof(int32_t));
  auto* positions = reinterpret_cast<int32_t*>(memory_->arena() + program_.positions.offset);
  for (int64_t i = 0; i < context.tokens; ++i) positions[i] = static_cast<int32_t>(position + i);

  // Prefill keeps all cores busy, and the first token is waiting for it.
  const bool moves = options_.weight_copy != nullptr && !options_.weight_copy->ended();
  if (moves && context.tokens > 1) options_.weight_copy->Pause(true);
  logit_rows_ = 0;
  skipped_.store(false, std::memory_order_relaxed);
  absl::Status status;
  if (poison_.has_value()) {
    status = RunPoisoned(context);
  } else {
    OpenShares(GroupsOf(context.tokens), 0, context);
    pool_->Run([&](int worker) {
      if (timed_) {
        RunTimedWorker(worker, context);
      } else {
        RunWorker(worker, context, NoTimer());
      }
    });
  }
  if (moves) options_.weight_copy->Pause(false);
  if (status.ok() && options_.weight_block != nullptr) status = options_.weight_block->CheckWhole();
  if (!status.ok()) return status;
  if (skipped_.load(std::memory_order_relaxed)) return absl::CancelledError("cancelled");
  if (timed_) {
    measured_.push_back({context, begin, clock_.Now()});
    if (measured_.size() == measured_.capacity()) FlushRuns();
  }
  logit_rows_ = logit_rows;
  return absl::OkStatus();
}

bool Executor::Cancelled() const {
  return options_.cancel != nullptr && options_.cancel->load(std::memory_order_relaxed);
}

int64_t Executor::Units(size_t step, const KernelContext& context) const {
  const Step& declared = program_.steps[step];
  const int64_t rows = RowsOf(declared.extent, context.tokens, context.logit_rows);
  return declared.units * ((rows + declared.unit_rows - 1) / declared.unit_rows);
}

Executor::Groups Executor::Prepare(const std::vector<StepGroup>& groups) const {
  Groups prepared;
  for (const StepGroup& steps : groups) {
    PreparedGroup& group = prepared.emplace_back(PreparedGroup{steps, 0, 0});
    if (!steps.barrier && prepared.size() > 1) group.slot = prepared[prepared.size() - 2].slot + 1;
    for (size_t i = steps.begin; i < steps.end; ++i) {
      for (const OperandRef& operand : program_.steps[i].operands) {
        if (operand.stride != 0) group.bytes_per_row += RowWidth(operand);
      }
    }
  }
  return prepared;
}

std::vector<StepGroup> Executor::groups(int64_t tokens) const {
  std::vector<StepGroup> groups;
  for (const PreparedGroup& group : GroupsOf(tokens)) groups.push_back(group.steps);
  return groups;
}

// As many as stay in the first-level cache from one step of the group to the next, but few enough
// for the workers to share them evenly.
int64_t Executor::RowsAtOnce(const PreparedGroup& group, int64_t rows) const {
  constexpr uint64_t kCacheBytes = 24 << 10;  // three quarters of the 32 KiB that most CPUs have
  constexpr int64_t kBlocksPerWorker = 4;
  const auto fitting =
      static_cast<int64_t>(kCacheBytes / std::max<uint64_t>(1, group.bytes_per_row));
  return std::max<int64_t>(1, std::min(fitting, rows / (kBlocksPerWorker * threads())));
}

void Executor::Call(size_t index, const KernelContext& context, int64_t begin, int64_t end) const {
  const PreparedStep& step = steps_[index];
  step.kernel(&context, step.operands, begin, end);
}

template <typename Timer>
void Executor::RunRows(const StepGroup& group, const KernelContext& context, int64_t begin,
                       int64_t end, Timer& timer) const {
  for (size_t i = group.begin; i < group.end; ++i) {
    const int64_t units = program_.steps[i].units;
    Call(i, context, begin * units, end * units);
    timer.Done(i);
  }
}

template <typename Timer>
void Executor::RunInOrder(const StepGroup& group, const KernelContext& context,
                          Timer& timer) const {
  for (size_t i = group.begin; i < group.end; ++i) {
    Call(i, context, 0, Units(i, context));
    timer.Done(i);
  }
}

absl::Span<UnitShare> Executor::SharesOf(const PreparedGroup& group) const {
  const auto workers = static_cast<size_t>(threads());
  return {shares_.get() + group.slot * workers, workers};
}

// Deals out the groups from `first` up to the next barrier. No worker may be taking units.
void Executor::OpenShares(const Groups& groups, size_t first, const KernelContext& context) {
  for (size_t g = first; g < groups.size() && (g == first || !groups[g].steps.barrier); ++g) {
    const PreparedGroup& group = groups[g];
    int64_t units = Units(group.steps.begin, context);
    if (group.steps.kind == StepGroup::Kind::kRows) {
      const int64_t rows = units / program_.steps[group.steps.begin].units;
      const int64_t at_once = RowsAtOnce(group, rows);
      units = (rows + at_once - 1) / at_once;
    }
    DealShares(units, SharesOf(group));
  }
}

// A grain of weights is small enough to balance a step that streams them once. Where many tokens
// share them, kernels prepare what they are called with, and larger calls share that more widely:
// eighths of a worker's part still balance.
int64_t Executor::GrainOf(const Step& step, int64_t units, const KernelContext& context) const {
  constexpr int64_t kFewTokens = 8;
  if (step.weight_bytes == 0 || context.tokens <= kFewTokens) return step.grain;
  return std::max(step.grain, units / (8 * threads()));
}

// Takes units of a group until none is left: the worker's own, then the others'.
template <typename Timer>
void Executor::TakeUnits(int worker, const PreparedGroup& group, const KernelContext& context,
                         Timer& timer) const {
  const size_t first = group.steps.begin;
  const Step& step = program_.steps[first];
  const int64_t all = Units(first, context);
  if (group.steps.kind == StepGroup::Kind::kRows) {
    const int64_t rows = all / step.units;
    const int64_t at_once = RowsAtOnce(group, rows);
    TakeShares(SharesOf(group), worker, 1, [&](int64_t begin, int64_t end) {
      RunRows(group.steps, context, begin * at_once, std::min(end * at_once, rows), timer);
    });
    return;
  }
  const int64_t grain = threads() == 1 ? all : std::min(GrainOf(step, all, context), all);
  bool took = false;
  TakeShares(SharesOf(group), worker, grain, [&](int64_t begin, int64_t end) {
    Call(first, context, begin, end);
    took = true;
  });
  if (took) timer.Done(first);
}

template <typename Timer>
void Executor::RunWorker(int worker, const KernelContext& context, Timer timer) {
  const Groups& groups = GroupsOf(context.tokens);
  for (size_t g = 0; g < groups.size(); ++g) {
    const StepGroup& steps = groups[g].steps;
    // Workers see the flag at different groups, but all know behind the next barrier. Until its end
    // the run goes from barrier to barrier, so that all meet.
    if (Cancelled()) skipped_.store(true, std::memory_order_relaxed);
    SchedulePoint();
    const bool serial = steps.kind == StepGroup::Kind::kSerial;
    const auto meet = [&] {
      if (skipped_.load(std::memory_order_relaxed)) return;
      if (serial) RunInOrder(steps, context, timer);
      OpenShares(groups, g + (serial ? 1 : 0), context);
    };
    if (serial && g == 0) {
      // The others are still waking up.
      if (worker == 0) meet();
      pool_->Barrier();
      timer.Resume();
    } else if (steps.barrier) {
      pool_->Barrier(meet);
      timer.Resume();
    }
    if (serial || skipped_.load(std::memory_order_relaxed)) continue;
    TakeUnits(worker, groups[g], context, timer);
  }
}

void Executor::RunTimedWorker(int worker, const KernelContext& context) {
  const size_t first =
      measured_.size() * run_intervals_ + static_cast<size_t>(worker) * steps_.size();
  StepInterval* const own = intervals_.data() + first;
  std::fill_n(own, steps_.size(), StepInterval{});
  const StepTimer timer(clock_, own);
  if (counters_.empty()) {
    RunWorker(worker, context, timer);
    return;
  }
  CounterValues* const counts = counts_.data() + first;
  std::fill_n(counts, steps_.size(), CounterValues{});
  RunWorker(worker, context, CountingTimer(timer, &counters_[static_cast<size_t>(worker)], counts));
}

void Executor::FlushRuns() {
  for (size_t i = 0; i < measured_.size(); ++i) {
    const MeasuredRun& run = measured_[i];
    const TickScale scale(run.begin, run.end);
    const absl::Span<StepInterval> intervals(IntervalsOf(i), run_intervals_);
    for (StepInterval& interval : intervals) {
      if (interval.end_ns == 0) continue;
      interval = {scale.At(interval.begin_ns), scale.At(interval.end_ns),
                  scale.Length(interval.busy_ns)};
    }
    RunTrace trace = {run.context, run.begin.ns, run.end.ns, intervals, {}};
    if (!counts_.empty()) trace.counts = {counts_.data() + i * run_intervals_, run_intervals_};
    if (options_.profile) profiler_->Add(trace, &profile_);
    if (options_.on_run) options_.on_run(trace);
  }
  measured_.clear();
}

absl::Status Executor::RunPoisoned(const KernelContext& context) {
  absl::Status status;
  pool_->Run([&](int worker) {
    if (worker != 0) return;
    for (size_t i = 0; i < steps_.size() && status.ok(); ++i) {
      if (Cancelled()) {
        skipped_.store(true, std::memory_order_relaxed);
        return;
      }
      const PreparedStep& step = steps_[i];
      const int64_t units = Units(i, context);
      const int64_t begin = clock_.Ticks();
      status = poison_->RunStep(
          program_.steps[i], units / program_.steps[i].units,
          [&](int64_t begin, int64_t end) { step.kernel(&context, step.operands, begin, end); });
      const int64_t end = clock_.Ticks();
      if (timed_) IntervalsOf(measured_.size())[i] = {begin, end, end - begin};
    }
  });
  return status;
}

const Profile& Executor::profile() {
  FlushRuns();
  return profile_;
}

void Executor::ResetProfile() {
  FlushRuns();
  profile_ = Profile();
  if (options_.profile) profile_.steps.resize(steps_.size());
}

absl::Span<const float> Executor::logits(int64_t row) const {
  WEFT_CHECK(row >= 0 && row < logit_rows_);
  const uint8_t* data = memory_->arena() + program_.logits.offset +
                        static_cast<uint64_t>(row) * program_.logits_stride;
  return absl::MakeConstSpan(reinterpret_cast<const float*>(data),
                             static_cast<size_t>(program_.vocab));
}

int32_t Executor::argmax(int64_t row) const {
  WEFT_CHECK(row >= 0 && row < logit_rows_);
  const uint8_t* data = memory_->arena() + program_.argmax.offset;
  return reinterpret_cast<const int32_t*>(data)[row];
}

}  // namespace weft
