// Collects where the time of a generation went, by phase.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "runtime/executor.h"
#include "tools/cache_traffic.h"

namespace weft::tools {

// Attention of all layers in some runs.
struct AttentionTimes {
  TimeHistogram time;       // of a run
  int64_t cache_bytes = 0;  // of keys and values read in all of them; 0 where nobody said
};

struct PhaseProfile {
  std::string name;         // "cold", "prefill", "decode"
  weft::Profile profile;    // its runs, step by step
  int64_t tokens = 0;       // of its runs
  int64_t wall_ns = 0;      // of the phase, as the caller took it; the runs' where it took none
  int64_t choosing_ns = 0;  // of that, picking tokens from logits
  int64_t text_ns = 0;      // and making text of tokens
  std::vector<int64_t> busy_ns;  // in kernels, by worker
  // By the positions that the last token of a run sees, rounded up to a power of two.
  std::map<int64_t, AttentionTimes> attention;
};

// Times of the tokens of a generation, in order. Once there are too many, neighbours become one, so
// that the whole generation stays in bounded memory.
class TokenTimes {
 public:
  static constexpr size_t kMost = 2048;
  struct Point {
    double sum_ms = 0;
    double max_ms = 0;
    int64_t tokens = 0;
  };
  void Add(double ms);
  // Each but the last of equally many tokens.
  const std::vector<Point>& points() const { return points_; }

 private:
  std::vector<Point> points_;
  int64_t tokens_each_ = 1;
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
  void SetExecutor(Executor* executor);
  // What attention reads, in the order of its steps; without, its bytes are not told.
  void SetCache(std::vector<CachedLayer> layers) { layers_ = std::move(layers); }
  // Runs from here on belong to a phase of this name, until a prompt of `prompt_tokens` from the
  // start of the sequence is through, and then to one called "decode". -1: to this phase, all.
  void Begin(const std::string& name, int64_t prompt_tokens = -1);

  // Takes in the runs that the executor still holds; what follows is of all runs from then on.
  void Flush();
  // Those that had runs. The last one's times may be set.
  std::vector<PhaseProfile>& phases() {
    Flush();
    return phases_;
  }
  const std::deque<KeptRun>& kept() const { return kept_; }
  // Of the runs of decode.
  const TokenTimes& token_times() const { return token_times_; }

 private:
  void Record(const RunTrace& run);
  void AddAttention(const RunTrace& run, absl::Span<const int64_t> step_ns,
                    PhaseProfile* phase) const;

  const size_t most_kept_;
  Executor* executor_ = nullptr;
  std::vector<size_t> attention_steps_;
  std::vector<CachedLayer> layers_;  // as many, or none
  int64_t prompt_tokens_ = -1;
  std::string name_ = "prefill";
  std::vector<PhaseProfile> phases_;
  std::deque<KeptRun> kept_;
  TokenTimes token_times_;
};

}  // namespace weft::tools
