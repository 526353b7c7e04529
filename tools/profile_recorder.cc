#include "tools/profile_recorder.h"

#include <algorithm>
#include <bit>

#include "ir/op.h"
#include "runtime/plan/validate_program.h"

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

void TokenTimes::Add(double ms) {
  if (points_.empty() || points_.back().tokens == tokens_each_) {
    if (points_.size() == kMost) {
      for (size_t i = 0; i < kMost / 2; ++i) {
        const Point& a = points_[2 * i];
        const Point& b = points_[2 * i + 1];
        points_[i] = {a.sum_ms + b.sum_ms, std::max(a.max_ms, b.max_ms), a.tokens + b.tokens};
      }
      points_.resize(kMost / 2);
      tokens_each_ *= 2;
    }
    points_.emplace_back();
  }
  Point& point = points_.back();
  point.sum_ms += ms;
  point.max_ms = std::max(point.max_ms, ms);
  ++point.tokens;
}

std::function<void(const RunTrace&)> ProfileRecorder::OnRun() {
  return [this](const RunTrace& run) { Record(run); };
}

void ProfileRecorder::SetExecutor(Executor* executor) {
  executor_ = executor;
  const std::vector<Step>& steps = executor->program().steps;
  for (size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].kind == ir::Name(ir::Op::kAttention)) attention_steps_.push_back(i);
  }
}

void ProfileRecorder::Flush() {
  if (executor_ != nullptr) executor_->FlushRuns();
}

void ProfileRecorder::Begin(const std::string& name, int64_t prompt_tokens) {
  Flush();
  name_ = name;
  prompt_tokens_ = prompt_tokens;
}

void ProfileRecorder::AddAttention(const RunTrace& run, absl::Span<const int64_t> step_ns,
                                   PhaseProfile* phase) const {
  if (attention_steps_.empty()) return;
  const auto seen = static_cast<uint64_t>(run.context.position + run.context.tokens);
  AttentionTimes& times = phase->attention[static_cast<int64_t>(std::bit_ceil(seen))];
  int64_t ns = 0;
  for (size_t i = 0; i < attention_steps_.size(); ++i) {
    const size_t step = attention_steps_[i];
    ns += step_ns[step];
    if (layers_.size() != attention_steps_.size()) continue;
    // The IR of a plan may say any number of a layer.
    const auto bytes = static_cast<int64_t>(
        std::min(layers_[i].BytesRead(run.context.position, run.context.tokens),
                 static_cast<double>(kMaxSpaceBytes)));
    phase->profile.steps[step].cache_bytes += bytes;
    times.cache_bytes += bytes;
  }
  times.time.Add(ns);
}

void ProfileRecorder::Record(const RunTrace& run) {
  const bool decodes =
      prompt_tokens_ >= 0 && run.context.position + run.context.tokens > prompt_tokens_;
  const std::string& name = decodes ? "decode" : name_;
  if (phases_.empty() || phases_.back().name != name) phases_.emplace_back().name = name;
  PhaseProfile& phase = phases_.back();
  phase.tokens += run.context.tokens;
  const std::vector<int64_t> step_ns = executor_->profiler().Add(run, &phase.profile);

  const size_t steps = executor_->program().steps.size();
  phase.busy_ns.resize(static_cast<size_t>(executor_->threads()));
  for (size_t worker = 0; worker < phase.busy_ns.size(); ++worker) {
    for (const StepInterval& interval : run.intervals.subspan(worker * steps, steps))
      phase.busy_ns[worker] += interval.busy_ns;
  }
  AddAttention(run, step_ns, &phase);
  if (name == "decode") token_times_.Add(static_cast<double>(run.end_ns - run.begin_ns) / 1e6);
  if (most_kept_ == 0) return;
  const auto same_phase = [&name](const KeptRun& kept) { return kept.phase == name; };
  if (std::ranges::count_if(kept_, same_phase) == static_cast<std::ptrdiff_t>(most_kept_))
    kept_.erase(std::ranges::find_if(kept_, same_phase));
  kept_.push_back(
      {name, run.context, run.begin_ns, run.end_ns, {run.intervals.begin(), run.intervals.end()}});
}

}  // namespace weft::tools
