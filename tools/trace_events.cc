#include "tools/trace_events.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace weft::tools {
namespace {

using Json = nlohmann::ordered_json;

// Processes group tracks.
constexpr int kRunProcess = 1;
constexpr int kCompileProcess = 2;
// The track of runs stands before those of the workers.
constexpr int kRunTrack = 0;
constexpr int kFirstWorkerTrack = 1;

class Writer {
 public:
  void Name(const char* what, int process, int track, const std::string& name) {
    Add({{"ph", "M"},
         {"name", what},
         {"pid", process},
         {"tid", track},
         {"args", {{"name", name}}}});
  }
  // A span of time on a track.
  void Span(const std::string& name, const std::string& category, int process, int track,
            double begin_us, double us, const Json& args) {
    Add({{"ph", "X"},
         {"name", name},
         {"cat", category},
         {"pid", process},
         {"tid", track},
         {"ts", begin_us},
         {"dur", us},
         {"args", args}});
  }
  std::string Finish() && {
    return absl::StrCat("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n", text_, "\n]}\n");
  }

 private:
  // One event a line: the whole would not have to fit memory twice.
  void Add(const Json& event) {
    absl::StrAppend(&text_, text_.empty() ? "" : ",\n",
                    event.dump(-1, ' ', false, Json::error_handler_t::replace));
  }

  std::string text_;
};

double Micros(int64_t ns) { return static_cast<double>(ns) / 1e3; }

// The work of the compiler, end to end. Returns its length in microseconds.
double AddCompiler(const std::vector<passes::PassStats>& passes, double codegen_ms,
                   Writer* writer) {
  writer->Name("process_name", kCompileProcess, 0, "compile");
  writer->Name("thread_name", kCompileProcess, 0, "passes and code");
  double at = 0;
  for (const passes::PassStats& pass : passes) {
    writer->Span(pass.name, "pass", kCompileProcess, 0, at, pass.ms * 1e3,
                 {{"changed", pass.changed},
                  {"nodes_before", pass.nodes_before},
                  {"nodes_after", pass.nodes_after}});
    at += pass.ms * 1e3;
  }
  writer->Span("LLVM", "codegen", kCompileProcess, 0, at, codegen_ms * 1e3, Json::object());
  return at + codegen_ms * 1e3;
}

void AddRun(const Program& program, const KeptRun& run, int64_t origin_ns, double offset_us,
            Writer* writer) {
  const auto at = [&](int64_t ns) { return offset_us + Micros(ns - origin_ns); };
  writer->Span(run.phase, "run", kRunProcess, kRunTrack, at(run.begin_ns),
               Micros(run.end_ns - run.begin_ns),
               {{"position", run.context.position}, {"tokens", run.context.tokens}});
  const size_t steps = program.steps.size();
  for (size_t first = 0; first < run.intervals.size(); first += steps) {
    const int track = kFirstWorkerTrack + static_cast<int>(first / steps);
    // Steps that take turns on the same rows are drawn one after another, each as long as it was
    // busy: spans of one track must not cross.
    int64_t free_ns = run.begin_ns;
    for (size_t i = 0; i < steps; ++i) {
      const StepInterval& interval = run.intervals[first + i];
      if (interval.end_ns == 0) continue;
      const Step& step = program.steps[i];
      const int64_t begin_ns = std::max(interval.begin_ns, free_ns);
      free_ns = begin_ns + interval.busy_ns;
      Json args = {{"kernel", step.kernel}};
      if (!step.detail.empty()) args["weights"] = step.detail;
      if (step.weight_bytes > 0) {
        int64_t begin_all = interval.begin_ns;
        int64_t end_all = interval.end_ns;
        for (size_t other = i; other < run.intervals.size(); other += steps) {
          if (run.intervals[other].end_ns == 0) continue;
          begin_all = std::min(begin_all, run.intervals[other].begin_ns);
          end_all = std::max(end_all, run.intervals[other].end_ns);
        }
        args["weight_bytes"] = step.weight_bytes;
        args["gb_per_s"] = static_cast<double>(step.weight_bytes) /
                           static_cast<double>(std::max<int64_t>(1, end_all - begin_all));
      }
      writer->Span(step.name.empty() ? step.kind : step.name, step.kind, kRunProcess, track,
                   at(begin_ns), Micros(interval.busy_ns), args);
    }
  }
}

}  // namespace

std::string TraceEvents(const Program& program, const std::deque<KeptRun>& runs,
                        const std::vector<passes::PassStats>& passes, double codegen_ms) {
  Writer writer;
  const double offset_us = passes.empty() ? 0 : AddCompiler(passes, codegen_ms, &writer);
  writer.Name("process_name", kRunProcess, kRunTrack, "run");
  writer.Name("thread_name", kRunProcess, kRunTrack, "runs");
  if (!runs.empty() && !program.steps.empty()) {
    const size_t workers = runs.front().intervals.size() / program.steps.size();
    for (size_t i = 0; i < workers; ++i) {
      writer.Name("thread_name", kRunProcess, kFirstWorkerTrack + static_cast<int>(i),
                  absl::StrCat("worker ", i));
    }
  }
  for (const KeptRun& run : runs) AddRun(program, run, runs.front().begin_ns, offset_us, &writer);
  return std::move(writer).Finish();
}

}  // namespace weft::tools
