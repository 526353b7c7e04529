// What it costs to time the steps of decode: runs of one token with and without times, in turns on
// the same executor, so that both have the same memory, threads and neighbours.
// Usage: weft_bench_profile MODEL|PLAN [pairs a round [rounds [threads]]]
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <vector>

#include "absl/strings/str_format.h"
#include "runtime/base/status_macros.h"
#include "runtime/session.h"
#include "runtime/step_clock.h"
#include "tools/arguments.h"
#include "tools/profile_recorder.h"

namespace weft::tools {

// Where in the context all runs are.
constexpr int64_t kDepth = 128;
// Evaluated together; Run() itself does so after one more.
constexpr int kFlushed = 31;

namespace {

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

absl::StatusOr<double> MicrosOfRun(Executor* executor, bool timed) {
  executor->TimeSteps(timed);
  const int64_t begin = NowNs();
  WEFT_RETURN_IF_ERROR(executor->Run({1}, kDepth, 1));
  return static_cast<double>(NowNs() - begin) / 1e3;
}

absl::Status Measure(const std::string& model, int pairs, int rounds, int threads) {
  ProfileRecorder recorder;
  ExecutorOptions options{.on_run = recorder.OnRun()};
  if (threads > 0) options.threads = threads;
  ModelArguments arguments;
  arguments.model = model;
  WEFT_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine, OpenEngine(arguments, 1, options));
  Executor& executor = engine->executor();
  recorder.SetExecutor(&executor);
  recorder.Begin("prefill", kDepth);
  WEFT_RETURN_IF_ERROR(Session(&executor).Prefill(std::vector<int32_t>(kDepth, 1)));
  (void)engine->SettledWeights();
  for (int i = 0; i < kFlushed; ++i)
    WEFT_RETURN_IF_ERROR(MicrosOfRun(&executor, i % 2 == 0).status());
  executor.FlushRuns();
  std::cout << absl::StrFormat(
      "us a step, medians of %d runs; times: median of paired differences; evaluating them: median "
      "of the share of a run in %d\n",
      pairs, kFlushed);
  for (int round = 0; round < rounds; ++round) {
    std::vector<double> off;
    std::vector<double> on;
    std::vector<double> more;
    std::vector<double> evaluated;
    for (int i = 0; i < pairs; ++i) {
      const bool first = i % 2 == 0;
      WEFT_ASSIGN_OR_RETURN(const double one, MicrosOfRun(&executor, first));
      WEFT_ASSIGN_OR_RETURN(const double two, MicrosOfRun(&executor, !first));
      on.push_back(first ? one : two);
      off.push_back(first ? two : one);
      more.push_back(on.back() - off.back());
      if ((i + 1) % kFlushed != 0) continue;
      const int64_t begin = NowNs();
      executor.FlushRuns();
      evaluated.push_back(static_cast<double>(NowNs() - begin) / 1e3 / kFlushed);
    }
    executor.FlushRuns();
    const double cost = Median(more) + Median(evaluated);
    std::cout << absl::StrFormat("off %.1f  on %.1f  times %.1f  evaluating %.1f  cost %.2f %%\n",
                                 Median(off), Median(on), Median(more), Median(evaluated),
                                 100 * cost / Median(off));
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace weft::tools

int main(int argc, char** argv) {
  constexpr int kLeast = weft::tools::kFlushed;
  const auto number = [&](int place, int otherwise) {
    return argc > place ? std::atoi(argv[place]) : otherwise;
  };
  if (argc < 2 || number(2, kLeast) < kLeast) {
    std::cerr << "usage: weft_bench_profile MODEL|PLAN [pairs (from " << kLeast
              << ") [rounds [threads]]]\n";
    return 2;
  }
  const absl::Status status =
      weft::tools::Measure(argv[1], number(2, 310), number(3, 5), number(4, 0));
  if (!status.ok()) std::cerr << status << "\n";
  return status.ok() ? 0 : 1;
}
