// Collects where the time of a generation went, by phase.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "runtime/executor.h"

namespace weft::tools {

struct PhaseProfile {
  std::string name;         // "cold", "prefill", "decode"
  weft::Profile profile;    // its runs, step by step
  int64_t tokens = 0;       // of its runs
  int64_t wall_ns = 0;      // of the phase, as the caller took it; the runs' where it took none
  int64_t choosing_ns = 0;  // of that, picking tokens from logits
  int64_t text_ns = 0;      // and making text of tokens
  // Attention of all layers in one run, by the positions that its last token sees, rounded up to a
  // power of two.
  std::map<int64_t, TimeHistogram> attention;
};

// A run with the times of its steps, kept to be drawn.
struct KeptRun {
  std::string phase;
  KernelContext context;
  int64_t begin_ns = 0;
  int64_t end_ns = 0;
  std::vector<StepInterval> intervals;  // [worker][step]
};

// What is drawn of a worker's part in a step.
struct StepSpan {
  size_t step = 0;
  int64_t begin_ns = 0;
  int64_t ns = 0;
};
// Of each worker, in order. Steps that take turns on the same rows stand one after another, each as
// long as it was busy: spans of one worker do not cross. `steps`: of the program.
std::vector<std::vector<StepSpan>> SpansOf(const KeptRun& run, size_t steps);

class ProfileRecorder {
 public:
  // Keeps the intervals of the last `most_kept` runs of each phase, those of earlier ones only in
  // sums: memory does not grow with the length of a generation.
  explicit ProfileRecorder(size_t most_kept = 0) : most_kept_(most_kept) {}

  // For ExecutorOptions::on_run; this must outlive the executor, and SetExecutor come before the
  // first run.
  std::function<void(const RunTrace&)> OnRun();
  void SetExecutor(const Executor* executor) { executor_ = executor; }
  // Runs from here on belong to a phase of this name, until a prompt of `prompt_tokens` from the
  // start of the sequence is through, and then to one called "decode". -1: to this phase, all.
  void Begin(const std::string& name, int64_t prompt_tokens = -1);

  // Those that had runs. The last one's times may be set.
  std::vector<PhaseProfile>& phases() { return phases_; }
  const std::deque<KeptRun>& kept() const { return kept_; }
  // Of the first steps of decode, some ten thousand at the most.
  const std::vector<double>& decode_ms() const { return decode_ms_; }

 private:
  void Record(const RunTrace& run);

  const size_t most_kept_;
  const Executor* executor_ = nullptr;
  int64_t prompt_tokens_ = -1;
  std::string name_ = "prefill";
  std::vector<PhaseProfile> phases_;
  std::deque<KeptRun> kept_;
  std::vector<double> decode_ms_;
};

}  // namespace weft::tools
