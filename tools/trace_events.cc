#include "tools/trace_events.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "tools/json_text.h"

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
    absl::StrAppend(&text_, text_.empty() ? "" : ",\n", JsonText(event));
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
  int track = kFirstWorkerTrack;
  for (const std::vector<StepSpan>& spans : SpansOf(run, program.steps.size())) {
    for (const StepSpan& span : spans) {
      const Step& step = program.steps[span.step];
      Json args = {{"kernel", step.kernel}};
      if (!step.detail.empty()) args["weights"] = step.detail;
      if (step.weight_bytes > 0) {
        const StepTimes all = TimesOf(run.intervals, program.steps.size(), span.step);
        args["weight_bytes"] = step.weight_bytes;
        args["gb_per_s"] = static_cast<double>(step.weight_bytes) /
                           static_cast<double>(std::max<int64_t>(1, all.end_ns - all.begin_ns));
      }
      writer->Span(step.name.empty() ? step.kind : step.name, step.kind, kRunProcess, track,
                   at(span.begin_ns), Micros(span.ns), args);
    }
    ++track;
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
