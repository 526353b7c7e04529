#include "tools/profile_table.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "ir/op.h"
#include "runtime/base/cpu.h"
#include "runtime/text/terminal_text.h"
#include "tools/json_text.h"
#include "tools/layer_names.h"
#include "tools/table.h"

namespace weft::tools {
namespace {

double Ratio(double a, double b) { return b > 0 ? a / b : 0; }
double Micros(double ns) { return ns / 1e3; }
double Millis(int64_t ns) { return static_cast<double>(ns) / 1e6; }

// Step::detail, "q8_0 1536x1152" or several of that between " + ".
struct Weights {
  std::string format;
  std::string dims;
};
Weights WeightsOf(const Step& step, const std::string& tokens) {
  std::vector<std::string> formats;
  std::vector<std::string> shapes;
  for (const absl::string_view part : absl::StrSplit(step.detail, " + ", absl::SkipEmpty())) {
    const std::vector<std::string> words = absl::StrSplit(part, ' ');
    if (words.size() != 2) continue;
    if (formats.empty() || formats.back() != words[0]) formats.push_back(words[0]);
    shapes.push_back(words[1]);
  }
  if (shapes.empty()) return {};
  const std::string columns(shapes[0].substr(shapes[0].find('x') + 1));
  return {absl::StrJoin(formats, "+"),
          absl::StrCat("[", tokens, "x", columns, "]x[", absl::StrJoin(shapes, " + "), "]")};
}

// What a step's row is called, and where it stands among rows of its kind.
std::string RowName(const Step& step, ProfileBy by) {
  const bool matmul = step.macs_per_row > 0;
  switch (by) {
    case ProfileBy::kLayer: {
      const int64_t layer = LayerOf(step.name);
      return layer < 0 ? "outside layers" : absl::StrCat("layer ", layer);
    }
    case ProfileBy::kWeight:
      return matmul ? step.name : step.kind;
    case ProfileBy::kOp:
      break;
  }
  return OpName(step);
}

// What no step of a phase accounts for.
struct Remainder {
  int64_t between_ns = 0;  // steps of a run: barriers, waiting for workers, the run's own start
  int64_t other_ns = 0;    // of the phase: what is neither run nor choosing nor text
  int64_t wall_ns = 0;
};
Remainder RemainderOf(const PhaseProfile& phase) {
  Remainder rest;
  rest.between_ns = phase.profile.total_ns;
  for (const StepProfile& step : phase.profile.steps) rest.between_ns -= step.time.total_ns();
  rest.wall_ns = phase.wall_ns > 0 ? phase.wall_ns : phase.profile.total_ns;
  rest.other_ns = rest.wall_ns - phase.profile.total_ns - phase.choosing_ns - phase.text_ns;
  return rest;
}

// Rates and shares of a row.
struct Figures {
  double gb_per_s, roof_share, gmac_per_s, peak_share, busy;
};
Figures FiguresOf(const ProfileRow& row, const ProfileReport& report) {
  Figures figures{};
  figures.gb_per_s = row.sum.GigabytesPerSecond();
  figures.roof_share = Ratio(figures.gb_per_s, report.roofs.gb_per_s);
  figures.gmac_per_s = row.sum.GigamacsPerSecond();
  const double peak = row.format == "q8_0"  ? report.roofs.gmac_per_s_q8_0
                      : row.format == "f32" ? report.roofs.gmac_per_s_f32
                                            : 0;
  figures.peak_share = Ratio(figures.gmac_per_s, peak);
  figures.busy = Ratio(static_cast<double>(row.sum.busy_ns),
                       static_cast<double>(row.sum.time.total_ns()) * report.threads);
  return figures;
}

std::string Number(double value, const char* unit = "") {
  return value > 0 ? absl::StrCat(absl::StrFormat("%.1f", value), unit) : "-";
}
std::string Percent(double share) {
  return share > 0 ? absl::StrFormat("%.0f %%", 100 * share) : "-";
}

std::string Micro(double ns) { return absl::StrFormat("%.1f", Micros(ns)); }
std::string Share(int64_t ns, int64_t of_ns) {
  return absl::StrFormat("%.1f %%",
                         100 * Ratio(static_cast<double>(ns), static_cast<double>(of_ns)));
}
int64_t BytesOf(const ProfileRow& row) { return row.sum.weight_bytes + row.sum.cache_bytes; }
std::string Megabytes(int64_t bytes, int64_t of) {
  return Number(Ratio(static_cast<double>(bytes) / 1e6, static_cast<double>(of)));
}

// Rows for what no step accounts for, and their sum.
void AddRemainder(const PhaseProfile& phase, size_t columns, size_t total_column, Table* table) {
  const Remainder rest = RemainderOf(phase);
  const auto add = [&](const std::string& name, int64_t ns) {
    std::vector<std::string> cells(columns);
    cells[0] = name;
    cells[total_column] = absl::StrFormat("%.2f", Millis(ns));
    cells.back() = Share(ns, rest.wall_ns);
    table->Add(std::move(cells));
  };
  add("barriers and waiting", rest.between_ns);
  if (phase.choosing_ns > 0) add("choosing tokens", phase.choosing_ns);
  if (phase.text_ns > 0) add("text of tokens", phase.text_ns);
  if (phase.wall_ns > 0) add("everything else", rest.other_ns);
  add("wall time", rest.wall_ns);
}

std::string RowsTable(const ProfileReport& report, const PhaseProfile& phase, ProfileBy by) {
  const int64_t wall_ns = RemainderOf(phase).wall_ns;
  Table table({"op", "dims", "format", "calls/run", "mean us", "p50", "p95", "min", "max",
               "max/min", "total ms", "MB/call", "GB/s", "roof", "GMAC/s", "peak", "busy",
               "share"});
  table.AlignRight({3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17});
  for (const ProfileRow& row : ProfileRows(*report.program, phase, by)) {
    const TimeHistogram& time = row.sum.time;
    const Figures figures = FiguresOf(row, report);
    const auto micros = [](int64_t ns) { return Micro(static_cast<double>(ns)); };
    table.Add(
        {row.op, row.dims, row.format,
         absl::StrFormat("%d", row.calls / std::max<int64_t>(1, phase.profile.runs)),
         Micro(time.MeanNs()), micros(time.PercentileNs(0.5)), micros(time.PercentileNs(0.95)),
         micros(time.min_ns()), micros(time.max_ns()),
         Number(Ratio(static_cast<double>(time.max_ns()), static_cast<double>(time.min_ns()))),
         absl::StrFormat("%.2f", Millis(time.total_ns())), Megabytes(BytesOf(row), row.calls),
         Number(figures.gb_per_s), Percent(figures.roof_share), Number(figures.gmac_per_s),
         Percent(figures.peak_share), Percent(figures.busy), Share(time.total_ns(), wall_ns)});
  }
  AddRemainder(phase, 18, 10, &table);
  return table.ToString();
}

// A layer's steps are of every size: what says something is what they take together in a run.
std::string LayersTable(const ProfileReport& report, const PhaseProfile& phase) {
  const int64_t wall_ns = RemainderOf(phase).wall_ns;
  const int64_t runs = std::max<int64_t>(1, phase.profile.runs);
  const auto per_run = [runs](int64_t ns) {
    return Micro(static_cast<double>(ns) / static_cast<double>(runs));
  };
  Table table({"layer", "steps", "us/run", "in matmuls", "attention", "the rest", "total ms",
               "MB/run", "matmul GB/s", "roof", "GMAC/s", "busy", "share"});
  table.AlignRight({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  for (const ProfileRow& row : ProfileRows(*report.program, phase, ProfileBy::kLayer)) {
    const int64_t ns = row.sum.time.total_ns();
    const auto matmul_ns = static_cast<double>(row.matmul_ns);
    const double gb_per_s = Ratio(static_cast<double>(row.sum.weight_bytes), matmul_ns);
    table.Add({row.op, absl::StrCat(row.calls / runs), per_run(ns), per_run(row.matmul_ns),
               per_run(row.attention_ns), per_run(ns - row.matmul_ns - row.attention_ns),
               absl::StrFormat("%.2f", Millis(ns)), Megabytes(BytesOf(row), runs), Number(gb_per_s),
               Percent(Ratio(gb_per_s, report.roofs.gb_per_s)),
               Number(Ratio(static_cast<double>(row.sum.macs), matmul_ns)),
               Percent(FiguresOf(row, report).busy), Share(ns, wall_ns)});
  }
  AddRemainder(phase, 13, 6, &table);
  return table.ToString();
}

// By the positions that the last token of a run sees.
std::string AttentionTable(const PhaseProfile& phase) {
  const int64_t wall_ns = RemainderOf(phase).wall_ns;
  Table table({"attention over positions", "runs", "us/run", "p95", "max", "total ms", "MB/run",
               "GB/s", "share"});
  table.AlignRight({0, 1, 2, 3, 4, 5, 6, 7, 8});
  for (const auto& [positions, times] : phase.attention) {
    const TimeHistogram& time = times.time;
    table.Add({absl::StrCat(positions / 2 + 1, " to ", positions), absl::StrCat(time.count()),
               Micro(time.MeanNs()), Micro(static_cast<double>(time.PercentileNs(0.95))),
               Micro(static_cast<double>(time.max_ns())),
               absl::StrFormat("%.2f", Millis(time.total_ns())),
               Megabytes(times.cache_bytes, time.count()),
               Number(Ratio(static_cast<double>(times.cache_bytes),
                            static_cast<double>(time.total_ns()))),
               Share(time.total_ns(), wall_ns)});
  }
  return table.ToString();
}

// What of its runs a worker was not in kernels, it waited for others or had nothing to do.
std::string WorkersTable(const PhaseProfile& phase) {
  Table table({"worker", "busy ms", "waited ms", "busy"});
  table.AlignRight({1, 2, 3});
  for (size_t i = 0; i < phase.busy_ns.size(); ++i) {
    table.Add({absl::StrCat(i), absl::StrFormat("%.2f", Millis(phase.busy_ns[i])),
               absl::StrFormat("%.2f", Millis(phase.profile.total_ns - phase.busy_ns[i])),
               Share(phase.busy_ns[i], phase.profile.total_ns)});
  }
  return table.ToString();
}

// Of a call, by all workers together; faults and switches of all runs.
std::string CountsTable(const ProfileReport& report, const PhaseProfile& phase, ProfileBy by) {
  std::vector<std::string> header = {"counted in"};
  std::vector<int> right;
  for (const Counter counter : report.counted) {
    right.push_back(static_cast<int>(header.size()));
    header.push_back(absl::StrReplaceAll(Name(counter), {{"_", " "}}));
  }
  const auto has = [&report](Counter counter) {
    return absl::c_linear_search(report.counted, counter);
  };
  const bool has_rate = has(Counter::kCycles) && has(Counter::kInstructions);
  if (has_rate) {
    right.push_back(static_cast<int>(header.size()));
    header.emplace_back("instructions/cycle");
  }
  Table table(std::move(header));
  table.AlignRight(right);
  for (const ProfileRow& row : ProfileRows(*report.program, phase, by)) {
    const auto count = [&row](Counter counter) {
      return row.sum.counts[static_cast<size_t>(counter)];
    };
    std::vector<std::string> cells = {row.op};
    for (const Counter counter : report.counted) cells.push_back(absl::StrCat(count(counter)));
    if (has_rate) {
      cells.push_back(Number(Ratio(static_cast<double>(count(Counter::kInstructions)),
                                   static_cast<double>(count(Counter::kCycles)))));
    }
    table.Add(std::move(cells));
  }
  return table.ToString();
}

std::string PhaseText(const ProfileReport& report, const PhaseProfile& phase, ProfileBy by) {
  const int64_t wall_ns = RemainderOf(phase).wall_ns;
  std::string text = absl::StrFormat(
      "%s: %d run%s of %d tokens, %.2f ms, %.1f tokens/s\n\n%s", phase.name, phase.profile.runs,
      phase.profile.runs == 1 ? "" : "s", phase.tokens, Millis(wall_ns),
      Ratio(static_cast<double>(phase.tokens), static_cast<double>(wall_ns) / 1e9),
      by == ProfileBy::kLayer ? LayersTable(report, phase) : RowsTable(report, phase, by));
  if (!phase.attention.empty()) absl::StrAppend(&text, "\n", AttentionTable(phase));
  if (phase.busy_ns.size() > 1) absl::StrAppend(&text, "\n", WorkersTable(phase));
  if (!report.counted.empty()) absl::StrAppend(&text, "\n", CountsTable(report, phase, by));
  return text;
}

// "" where everything that was asked for was counted.
std::string MissingCounters(const ProfileReport& report) {
  std::vector<std::string> missing;
  for (size_t i = 0; i < kCounters && report.counts; ++i) {
    const auto counter = static_cast<Counter>(i);
    if (!absl::c_linear_search(report.counted, counter))
      missing.push_back(absl::StrReplaceAll(Name(counter), {{"_", " "}}));
  }
  if (missing.empty()) return "";
  return absl::StrCat("not counted: ", absl::StrJoin(missing, ", "),
                      " (this machine has no such counters, or kernel.perf_event_paranoid "
                      "forbids them)\n");
}

nlohmann::ordered_json TimesJson(const TimeHistogram& time) {
  return {{"mean_ns", time.MeanNs()},          {"p50_ns", time.PercentileNs(0.5)},
          {"p95_ns", time.PercentileNs(0.95)}, {"min_ns", time.min_ns()},
          {"max_ns", time.max_ns()},           {"total_ns", time.total_ns()}};
}

nlohmann::ordered_json RowJson(const ProfileRow& row, const ProfileReport& report,
                               int64_t wall_ns) {
  const Figures figures = FiguresOf(row, report);
  nlohmann::ordered_json json = {
      {"op", row.op}, {"dims", row.dims}, {"format", row.format}, {"calls", row.calls}};
  json.update(TimesJson(row.sum.time));
  json.update(
      {{"weight_bytes", row.sum.weight_bytes},
       {"cache_bytes", row.sum.cache_bytes},
       {"macs", row.sum.macs},
       {"gb_per_s", figures.gb_per_s},
       {"roof_share", figures.roof_share},
       {"gmac_per_s", figures.gmac_per_s},
       {"peak_share", figures.peak_share},
       {"busy", figures.busy},
       {"share", Ratio(static_cast<double>(row.sum.time.total_ns()), static_cast<double>(wall_ns))},
       {"matmul_ns", row.matmul_ns},
       {"attention_ns", row.attention_ns}});
  for (const Counter counter : report.counted)
    json[std::string(Name(counter))] = row.sum.counts[static_cast<size_t>(counter)];
  return json;
}

}  // namespace

std::string OpName(const Step& step) {
  if (step.macs_per_row == 0) return step.kind;
  const std::string fused(absl::StripPrefix(step.kind, "matmul"));
  return absl::StrCat(WithoutLayer(step.name), absl::StrReplaceAll(fused, {{"+", " + "}}));
}

std::vector<ProfileRow> ProfileRows(const Program& program, const PhaseProfile& phase,
                                    ProfileBy by) {
  const std::string tokens =
      phase.tokens == phase.profile.runs ? "1" : "T";  // of runs over one token each, or more
  std::vector<ProfileRow> rows;
  std::map<std::string, size_t> places;
  for (size_t i = 0; i < phase.profile.steps.size(); ++i) {
    const Step& step = program.steps[i];
    const Weights weights = by == ProfileBy::kLayer ? Weights() : WeightsOf(step, tokens);
    const std::string name = RowName(step, by);
    const auto [place, is_new] =
        places.try_emplace(absl::StrCat(name, "|", weights.dims, "|", weights.format), rows.size());
    if (is_new)
      rows.push_back({.op = name, .dims = weights.dims, .format = weights.format, .sum = {}});
    ProfileRow& row = rows[place->second];
    row.calls += phase.profile.steps[i].time.count();
    row.sum.Merge(phase.profile.steps[i]);
    const int64_t ns = phase.profile.steps[i].time.total_ns();
    if (step.macs_per_row > 0) row.matmul_ns += ns;
    if (step.kind == ir::Name(ir::Op::kAttention)) row.attention_ns += ns;
  }
  if (by == ProfileBy::kLayer) return rows;
  std::sort(rows.begin(), rows.end(), [](const ProfileRow& a, const ProfileRow& b) {
    return std::pair(b.sum.time.total_ns(), a.op) < std::pair(a.sum.time.total_ns(), b.op);
  });
  return rows;
}

ProfileReport ReportFor(const Engine& engine, const Executor& executor) {
  return {.model = engine.metadata().model,
          .target = engine.target(),
          .cpu = CpuModelName(),
          .threads = executor.threads(),
          .counted = executor.counted(),
          .program = &executor.program()};
}

std::string ProfileText(const ProfileReport& report, ProfileBy by) {
  std::string text = absl::StrFormat("%s for %s on %s, %d thread%s\n", TerminalLine(report.model),
                                     TerminalLine(report.target), report.cpu, report.threads,
                                     report.threads == 1 ? "" : "s");
  if (report.roofs.gb_per_s > 0) {
    absl::StrAppendFormat(
        &text,
        "roof: %.1f GB/s of weights by the best plain reader; at most %.0f GMAC/s "
        "of q8_0 and %.0f of f32\n",
        report.roofs.gb_per_s, report.roofs.gmac_per_s_q8_0, report.roofs.gmac_per_s_f32);
  }
  absl::StrAppend(&text, MissingCounters(report));
  for (const PhaseProfile& phase : report.phases)
    absl::StrAppend(&text, "\n", PhaseText(report, phase, by));
  return text;
}

nlohmann::ordered_json ProfileJson(const ProfileReport& report, ProfileBy by) {
  nlohmann::ordered_json phases = nlohmann::ordered_json::array();
  for (const PhaseProfile& phase : report.phases) {
    const Remainder rest = RemainderOf(phase);
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (const ProfileRow& row : ProfileRows(*report.program, phase, by))
      rows.push_back(RowJson(row, report, rest.wall_ns));
    nlohmann::ordered_json attention = nlohmann::ordered_json::array();
    for (const auto& [positions, times] : phase.attention) {
      attention.push_back({{"positions_up_to", positions}, {"runs", times.time.count()}});
      attention.back().update(TimesJson(times.time));
      attention.back().update({{"cache_bytes", times.cache_bytes},
                               {"gb_per_s", Ratio(static_cast<double>(times.cache_bytes),
                                                  static_cast<double>(times.time.total_ns()))}});
    }
    nlohmann::ordered_json workers = nlohmann::ordered_json::array();
    for (const int64_t busy_ns : phase.busy_ns) {
      workers.push_back({{"busy_ns", busy_ns}, {"waited_ns", phase.profile.total_ns - busy_ns}});
    }
    phases.push_back({{"phase", phase.name},
                      {"runs", phase.profile.runs},
                      {"tokens", phase.tokens},
                      {"wall_ns", rest.wall_ns},
                      {"between_steps_ns", rest.between_ns},
                      {"choosing_ns", phase.choosing_ns},
                      {"text_ns", phase.text_ns},
                      {"other_ns", rest.other_ns},
                      {"rows", rows},
                      {"attention", attention},
                      {"workers", workers}});
  }
  nlohmann::ordered_json counted = nlohmann::ordered_json::array();
  for (const Counter counter : report.counted) counted.push_back(std::string(Name(counter)));
  return {{"model", report.model},
          {"target", report.target},
          {"cpu", report.cpu},
          {"threads", report.threads},
          {"roof_gb_per_s", report.roofs.gb_per_s},
          {"peak_gmac_per_s_q8_0", report.roofs.gmac_per_s_q8_0},
          {"peak_gmac_per_s_f32", report.roofs.gmac_per_s_f32},
          {"counted", counted},
          {"phases", phases}};
}

std::string ProfileCsv(const ProfileReport& report, ProfileBy by) {
  const nlohmann::ordered_json json = ProfileJson(report, by);
  std::string text;
  for (const auto& phase : json.at("phases")) {
    for (const auto& row : phase.at("rows")) {
      std::vector<std::string> names = {"phase"};
      std::vector<std::string> cells = {phase.at("phase").get<std::string>()};
      for (const auto& [name, value] : row.items()) {
        names.push_back(name);
        // Names hold commas, as in "{q,k,v}_proj".
        cells.push_back(value.is_string() ? absl::StrCat("\"", value.get<std::string>(), "\"")
                                          : JsonText(value));
      }
      if (text.empty()) absl::StrAppend(&text, absl::StrJoin(names, ","), "\n");
      absl::StrAppend(&text, absl::StrJoin(cells, ","), "\n");
    }
  }
  return text;
}

}  // namespace weft::tools
