#include "runtime/executor.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <utility>

#include "runtime/abi/check.h"
#include "runtime/barriers.h"
#include "runtime/base/cpu.h"
#include "runtime/plan/validate_program.h"

namespace weft {
namespace {

int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

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
  absl::StatusOr<AnonymousMemory> arena = AnonymousMemory::Map(
      program.arena_bytes, "activations (a smaller maximum of tokens per run needs less)");
  if (!arena.ok()) return arena.status();
  executor->arena_ = *std::move(arena);
  absl::StatusOr<AnonymousMemory> kv = AnonymousMemory::Map(
      program.kv_bytes, absl::StrCat("the KV cache of a context of ", program.context,
                                     " tokens (ask for a smaller one with -c)"));
  if (!kv.ok()) return kv.status();
  executor->kv_ = *std::move(kv);

  // Generated code takes void* for every operand; ValidateProgram refuses writes to weights.
  const std::array<uint8_t*, 3> spaces = {executor->arena_.data(), const_cast<uint8_t*>(weights),
                                          executor->kv_.data()};
  size_t operands = 0;
  for (const Step& step : program.steps) operands += step.operands.size();
  executor->operands_.reserve(operands);  // never grows: steps point into it
  executor->barriers_ = DeriveBarriers(program);
  for (size_t i = 0; i < program.steps.size(); ++i) {
    void* const* first = executor->operands_.data() + executor->operands_.size();
    for (const OperandRef& operand : program.steps[i].operands) {
      executor->operands_.push_back(spaces[static_cast<size_t>(operand.space)] + operand.offset);
    }
    executor->steps_.push_back({kernels[i], first, executor->barriers_[i]});
  }

  const int threads =
      options.threads.value_or(std::min<int>(UsableCpus(), WorkerPool::kMaxWorkers));
  absl::StatusOr<std::unique_ptr<WorkerPool>> pool = WorkerPool::Create(threads);
  if (!pool.ok()) return pool.status();
  executor->pool_ = *std::move(pool);
  executor->counters_ = std::make_unique<Counter[]>(program.steps.size());
  if (options.debug_poison) {
    absl::StatusOr<PoisonChecker> poison =
        PoisonChecker::Create(program, executor->arena_.data(), executor->kv_.data());
    if (!poison.ok()) return poison.status();
    executor->poison_ = *std::move(poison);
  }
  if (options.profile) {
    executor->intervals_.resize(program.steps.size() * static_cast<size_t>(executor->threads()));
    executor->mac_rows_ = MacRows(program);
    executor->ResetProfile();
  }
  return executor;
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
      " tokens (ask for a larger one with -c, up to what the model was trained for)"));
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
  return CheckContext(position, tokens);
}

absl::Status Executor::Run(absl::Span<const int32_t> ids, int64_t position, int64_t logit_rows) {
  if (absl::Status status = CheckRun(ids, position, logit_rows); !status.ok()) return status;
  const KernelContext context = {static_cast<int64_t>(ids.size()), logit_rows, position};
  const int64_t begin_ns = options_.profile ? NowNs() : 0;
  if (poison_.has_value()) poison_->BeginRun(program_);
  std::memcpy(arena_.data() + program_.tokens.offset, ids.data(), ids.size() * sizeof(int32_t));
  auto* positions = reinterpret_cast<int32_t*>(arena_.data() + program_.positions.offset);
  for (int64_t i = 0; i < context.tokens; ++i) positions[i] = static_cast<int32_t>(position + i);

  logit_rows_ = 0;
  skipped_.store(false, std::memory_order_relaxed);
  if (poison_.has_value()) {
    if (absl::Status status = RunPoisoned(context); !status.ok()) return status;
  } else if (pool_->size() == 1) {
    pool_->Run([&](int) { RunAlone(context); });
  } else {
    for (size_t i = 0; i < steps_.size(); ++i) {
      counters_[i].next.store(0, std::memory_order_relaxed);
    }
    pool_->Run([&](int worker) { RunWorker(worker, context); });
  }
  if (skipped_.load(std::memory_order_relaxed)) return absl::CancelledError("cancelled");
  if (options_.profile) AddToProfile(context, NowNs() - begin_ns);
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

void Executor::RunAlone(const KernelContext& context) {
  for (size_t i = 0; i < steps_.size(); ++i) {
    if (Cancelled()) {
      skipped_.store(true, std::memory_order_relaxed);
      return;
    }
    const PreparedStep& step = steps_[i];
    const int64_t begin_ns = options_.profile ? NowNs() : 0;
    step.kernel(&context, step.operands, 0, Units(i, context));
    if (options_.profile) intervals_[i] = {begin_ns, NowNs()};
  }
}

// Takes units of a step until none is left; false where there was none from the start.
bool Executor::TakeUnits(size_t index, const KernelContext& context) {
  const PreparedStep& step = steps_[index];
  const int64_t units = Units(index, context);
  // Bounded, so that the counter cannot overflow however many workers overshoot.
  const int64_t grain = std::min(program_.steps[index].grain, units);
  std::atomic<int64_t>& next = counters_[index].next;
  bool took = false;
  // Looking before adding keeps the line shared once the units are gone.
  while (next.load(std::memory_order_relaxed) < units) {
    const int64_t begin = next.fetch_add(grain, std::memory_order_relaxed);
    if (begin >= units) break;
    step.kernel(&context, step.operands, begin, std::min(begin + grain, units));
    took = true;
  }
  return took;
}

void Executor::RunWorker(int worker, const KernelContext& context) {
  bool cancelled = false;
  for (size_t i = 0; i < steps_.size(); ++i) {
    if (steps_[i].barrier) pool_->Barrier();
    // Workers see the flag at different steps: whoever saw it still meets the others.
    if (!cancelled && Cancelled()) {
      cancelled = true;
      skipped_.store(true, std::memory_order_relaxed);
    }
    if (cancelled) continue;
    if (!options_.profile) {
      TakeUnits(i, context);
      continue;
    }
    const int64_t begin_ns = NowNs();
    const bool took = TakeUnits(i, context);
    intervals_[static_cast<size_t>(worker) * steps_.size() + i] = {begin_ns, took ? NowNs() : 0};
  }
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
      const int64_t begin_ns = options_.profile ? NowNs() : 0;
      status = poison_->RunStep(
          program_.steps[i], [&] { step.kernel(&context, step.operands, 0, units); },
          [&] {
            for (int64_t unit = units - 1; unit >= 0; --unit) {
              step.kernel(&context, step.operands, unit, unit + 1);
            }
          });
      if (options_.profile) intervals_[i] = {begin_ns, NowNs()};
    }
  });
  return status;
}

void Executor::AddToProfile(const KernelContext& context, int64_t run_ns) {
  ++profile_.runs;
  profile_.total_ns += run_ns;
  for (size_t i = 0; i < steps_.size(); ++i) {
    int64_t begin_ns = 0;
    int64_t end_ns = 0;
    for (int worker = 0; worker < pool_->size(); ++worker) {
      const Interval& interval = intervals_[static_cast<size_t>(worker) * steps_.size() + i];
      if (interval.end_ns == 0) continue;
      begin_ns = end_ns == 0 ? interval.begin_ns : std::min(begin_ns, interval.begin_ns);
      end_ns = std::max(end_ns, interval.end_ns);
    }
    const Step& step = program_.steps[i];
    const int64_t rows = RowsOf(mac_rows_[i], context.tokens, context.logit_rows);
    profile_.steps[i].Add(end_ns - begin_ns, step.weight_bytes, step.macs_per_row * rows);
  }
}

void Executor::ResetProfile() {
  profile_ = Profile();
  if (options_.profile) profile_.steps.resize(steps_.size());
}

absl::Span<const float> Executor::logits(int64_t row) const {
  WEFT_CHECK(row >= 0 && row < logit_rows_);
  const uint8_t* data =
      arena_.data() + program_.logits.offset + static_cast<uint64_t>(row) * program_.logits_stride;
  return absl::MakeConstSpan(reinterpret_cast<const float*>(data),
                             static_cast<size_t>(program_.vocab));
}

int32_t Executor::argmax(int64_t row) const {
  WEFT_CHECK(row >= 0 && row < logit_rows_);
  const uint8_t* data = arena_.data() + program_.argmax.offset;
  return reinterpret_cast<const int32_t*>(data)[row];
}

}  // namespace weft
