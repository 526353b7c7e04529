// What the runtime costs around the kernels: waking the workers for a run, letting them meet, and
// steps whose kernels do nothing. The first argument is the number of workers; more of them than
// CPUs shows how an overloaded machine fares.
#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "runtime/executor.h"
#include "runtime/test_kernels.h"
#include "runtime/worker_pool.h"

namespace weft {
namespace {

constexpr int kInnerRounds = 1000;

void Workers(benchmark::internal::Benchmark* benchmark) {
  benchmark->Arg(1)->Arg(2)->Arg(4)->Arg(8)->UseRealTime();
}

void EmptyRun(benchmark::State& state) {
  const auto pool = WorkerPool::Create(static_cast<int>(state.range(0)));
  for (auto _ : state) (*pool)->Run([](int) {});
}
BENCHMARK(EmptyRun)->Apply(Workers);

// Items are barriers.
void Barrier(benchmark::State& state) {
  const auto pool = WorkerPool::Create(static_cast<int>(state.range(0)));
  for (auto _ : state) {
    (*pool)->Run([&](int) {
      for (int i = 0; i < kInnerRounds; ++i) (*pool)->Barrier();
    });
  }
  state.SetItemsProcessed(state.iterations() * kInnerRounds);
}
BENCHMARK(Barrier)->Apply(Workers);

// Which kind of steps a program has.
enum class Kind { kIndependent, kDependent, kRows };

// Items are steps of two units, in a run of one token.
void EmptyStep(benchmark::State& state, Kind kind) {
  TestModel model;
  const KernelFn nothing = [](const KernelContext*, void* const*, int64_t, int64_t) {};
  OperandRef value = model.Arena(4 * 64);
  if (kind == Kind::kRows) value.stride = 64;
  for (int i = 0; i < kInnerRounds; ++i) {
    std::vector<OperandRef> operands = {value};
    if (kind != Kind::kIndependent) operands.push_back(TestModel::Writes(value));
    model.Add("step", nothing, kind == Kind::kRows ? Extent::kTokens : Extent::kOne, 2, 1,
              operands);
  }
  ExecutorOptions options;
  options.threads = static_cast<int>(state.range(0));
  const auto executor = Executor::Create(model.program, model.kernels, nullptr, options);
  for (auto _ : state) {
    if (!(*executor)->Run({0}, 0, 1).ok()) state.SkipWithError("the run failed");
  }
  state.SetItemsProcessed(state.iterations() * kInnerRounds);
}
BENCHMARK_CAPTURE(EmptyStep, without_barrier, Kind::kIndependent)->Apply(Workers);
BENCHMARK_CAPTURE(EmptyStep, with_barrier, Kind::kDependent)->Apply(Workers);
BENCHMARK_CAPTURE(EmptyStep, of_one_row, Kind::kRows)->Apply(Workers);

}  // namespace
}  // namespace weft
