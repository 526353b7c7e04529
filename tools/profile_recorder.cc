#include "tools/profile_recorder.h"

#include <algorithm>
#include <bit>

#include "ir/op.h"

namespace weft::tools {

std::vector<std::vector<StepSpan>> SpansOf(const KeptRun& run, size_t steps) {
  std::vector<std::vector<StepSpan>> workers;
  for (size_t first = 0; first < run.intervals.size(); first += steps) {
    std::vector<StepSpan>& spans = workers.emplace_back();
    int64_t free_ns = run.begin_ns;
    for (size_t i = 0; i < steps; ++i) {
      const StepInterval& interval = run.intervals[first + i];
      if (interval.end_ns == 0) continue;
      const int64_t begin_ns = std::max(interval.begin_ns, free_ns);
      spans.push_back({i, begin_ns, interval.busy_ns});
      free_ns = begin_ns + interval.busy_ns;
    }
  }
  return workers;
}

std::function<void(const RunTrace&)> ProfileRecorder::OnRun() {
  return [this](const RunTrace& run) { Record(run); };
}

void ProfileRecorder::Begin(const std::string& name, int64_t prompt_tokens) {
  name_ = name;
  prompt_tokens_ = prompt_tokens;
}

void ProfileRecorder::Record(const RunTrace& run) {
  const bool decodes =
      prompt_tokens_ >= 0 && run.context.position + run.context.tokens > prompt_tokens_;
  const std::string& name = decodes ? "decode" : name_;
  if (phases_.empty() || phases_.back().name != name) phases_.emplace_back().name = name;
  PhaseProfile& phase = phases_.back();
  phase.tokens += run.context.tokens;
  executor_->profiler().Add(run, &phase.profile);

  const std::vector<Step>& steps = executor_->program().steps;
  int64_t attention_ns = 0;
  for (size_t i = 0; i < run.intervals.size(); ++i) {
    // Workers share attention evenly enough for the mean to be the wall time.
    if (steps[i % steps.size()].kind == ir::Name(ir::Op::kAttention))
      attention_ns += run.intervals[i].busy_ns;
  }
  const auto seen = static_cast<uint64_t>(run.context.position + run.context.tokens);
  phase.attention[static_cast<int64_t>(std::bit_ceil(seen))].Add(attention_ns /
                                                                 executor_->threads());
  constexpr size_t kMostTokens = 1 << 14;
  if (name == "decode" && decode_ms_.size() < kMostTokens)
    decode_ms_.push_back(static_cast<double>(run.end_ns - run.begin_ns) / 1e6);
  if (most_kept_ == 0) return;
  const auto same_phase = [&name](const KeptRun& kept) { return kept.phase == name; };
  if (std::ranges::count_if(kept_, same_phase) == static_cast<std::ptrdiff_t>(most_kept_))
    kept_.erase(std::ranges::find_if(kept_, same_phase));
  kept_.push_back(
      {name, run.context, run.begin_ns, run.end_ns, {run.intervals.begin(), run.intervals.end()}});
}

}  // namespace weft::tools
