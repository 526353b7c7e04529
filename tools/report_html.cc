#include "tools/report_html.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "runtime/version.h"
#include "tools/json_text.h"
#include "tools/layer_names.h"
#include "tools/memory_map.h"
#include "tools/report_page.h"

namespace weft::tools {
namespace {

using Json = nlohmann::ordered_json;

double Micros(int64_t ns) { return static_cast<double>(ns) / 1e3; }
double Ratio(double a, double b) { return b > 0 ? a / b : 0; }

Json StepsJson(const Program& program, const PhaseProfile* decode) {
  Json steps = Json::array();
  for (size_t i = 0; i < program.steps.size(); ++i) {
    const Step& step = program.steps[i];
    const double ns = decode == nullptr ? 0 : decode->profile.steps[i].time.MeanNs();
    steps.push_back({{"name", step.name},
                     {"kernel", step.kernel},
                     {"op", OpName(step)},
                     {"layer", LayerOf(step.name)},
                     {"weight_bytes", step.weight_bytes},
                     {"decode_ns", ns}});
  }
  return steps;
}

Json ValuesJson(const std::vector<MemoryValue>& values, size_t end) {
  Json json = Json::array();
  for (const MemoryValue& value : values) {
    json.push_back({{"first", value.first_step.value_or(0)},
                    {"last", value.last_step.value_or(end)},
                    {"offset", value.offset},
                    {"bytes", value.bytes},
                    {"name", value.name}});
  }
  return json;
}

Json MemoryJson(const Program& program, const ir::Module* module) {
  const MemoryMap map = MapMemory(program, module);
  const size_t end = program.steps.empty() ? 0 : program.steps.size() - 1;
  return {{"arena_bytes", map.arena_bytes},
          {"weight_bytes", map.weight_bytes},
          {"kv_bytes", map.kv_bytes},
          {"context", program.context},
          {"values", ValuesJson(map.arena, end)},
          {"weights", ValuesJson(map.weights, end)},
          {"kv", ValuesJson(map.kv_cache, end)}};
}

// Spans of each worker: step, begin and length in microseconds.
Json TimelineJson(const Program& program, const KeptRun& run, const std::string& name) {
  Json workers = Json::array();
  for (const std::vector<StepSpan>& spans : SpansOf(run, program.steps.size())) {
    Json& worker = workers.emplace_back(Json::array());
    for (const StepSpan& span : spans)
      worker.push_back({span.step, Micros(span.begin_ns - run.begin_ns), Micros(span.ns)});
  }
  return {{"name", name}, {"us", Micros(run.end_ns - run.begin_ns)}, {"workers", workers}};
}

// The last run of prefill and the run of decode that took the median time.
Json TimelinesJson(const Program& program, const ProfileRecorder& recorder) {
  Json timelines = Json::array();
  const KeptRun* prefill = nullptr;
  std::vector<const KeptRun*> decode;
  for (const KeptRun& run : recorder.kept()) {
    if (run.phase == "prefill") prefill = &run;
    if (run.phase == "decode") decode.push_back(&run);
  }
  if (prefill != nullptr) {
    timelines.push_back(TimelineJson(
        program, *prefill, absl::StrCat("prefill of ", prefill->context.tokens, " tokens")));
  }
  if (!decode.empty()) {
    std::sort(decode.begin(), decode.end(), [](const KeptRun* a, const KeptRun* b) {
      return a->end_ns - a->begin_ns < b->end_ns - b->begin_ns;
    });
    const KeptRun* median = decode[decode.size() / 2];
    timelines.push_back(TimelineJson(
        program, *median, absl::StrCat("decode at position ", median->context.position)));
  }
  return timelines;
}

// First token, how many, their mean and longest time.
Json TokensJson(const TokenTimes& times) {
  Json points = Json::array();
  int64_t first = 0;
  for (const TokenTimes::Point& point : times.points()) {
    points.push_back(
        {first, point.tokens, point.sum_ms / static_cast<double>(point.tokens), point.max_ms});
    first += point.tokens;
  }
  return points;
}

// The ops of the first layer, each with the places of those that it reads; views are what they
// show.
Json GraphJson(const ir::Module& module, const std::string& name) {
  Json ops = Json::array();
  std::map<ir::NodeId, size_t> places;
  for (const ir::NodeId id : module.order()) {
    const ir::Node& node = module.node(id);
    if (LayerOf(node.location) != 0) continue;
    // Neither computes anything when the model runs.
    if (node.op == ir::Op::kWeight || node.op == ir::Op::kPack) continue;
    if (node.Bool(ir::Attr::kView)) {
      if (const auto place = places.find(node.operands[0]); place != places.end())
        places.emplace(id, place->second);
      continue;
    }
    Json from = Json::array();
    for (const ir::NodeId operand : node.operands) {
      if (const auto place = places.find(operand); place != places.end())
        from.push_back(place->second);
    }
    places.emplace(id, ops.size());
    ops.push_back({{"op", ir::Name(node.op)},
                   {"location", node.location},
                   {"type", ir::ToString(node.type)},
                   {"from", from}});
  }
  return {{"name", name}, {"ops", ops}};
}

const PhaseProfile* PhaseOf(const ProfileReport& report, const std::string& name) {
  for (const PhaseProfile& phase : report.phases) {
    if (phase.name == name) return &phase;
  }
  return nullptr;
}

// Sums of a phase's matmuls.
StepProfile MatmulsOf(const PhaseProfile& phase) {
  StepProfile sum;
  for (const StepProfile& step : phase.profile.steps) {
    if (step.macs > 0) sum.Merge(step);
  }
  return sum;
}

// "gate_up 41 %, down 19 %": what takes most of a phase's time.
std::string MostOf(const ProfileReport& report, const PhaseProfile& phase, int64_t wall_ns) {
  std::string text;
  const std::vector<ProfileRow> rows = ProfileRows(*report.program, phase, ProfileBy::kOp);
  for (size_t i = 0; i < rows.size() && i < 3; ++i) {
    absl::StrAppendFormat(&text, "%s%s %.0f %%", i == 0 ? "" : ", ", rows[i].op,
                          100 * Ratio(static_cast<double>(rows[i].sum.time.total_ns()),
                                      static_cast<double>(wall_ns)));
  }
  return text;
}

}  // namespace

std::vector<std::string> SummaryOf(const ProfileReport& report) {
  std::vector<std::string> sentences;
  for (const PhaseProfile& phase : report.phases) {
    const int64_t wall_ns = phase.wall_ns > 0 ? phase.wall_ns : phase.profile.total_ns;
    const auto wall = static_cast<double>(wall_ns);
    const StepProfile matmuls = MatmulsOf(phase);
    const double rest = 1 - Ratio(static_cast<double>(matmuls.time.total_ns()), wall);
    if (phase.name == "cold") {
      const PhaseProfile* decode = PhaseOf(report, "decode");
      std::string text = absl::StrFormat("The first step of all took %.1f ms", wall / 1e6);
      if (decode != nullptr) {
        absl::StrAppendFormat(&text, ", %.1f times a later one",
                              Ratio(wall, static_cast<double>(decode->profile.total_ns) /
                                              static_cast<double>(decode->profile.runs)));
      }
      sentences.push_back(absl::StrCat(text, "."));
      continue;
    }
    std::string text = absl::StrFormat("%s: %.1f tokens a second, %.2f ms a token.", phase.name,
                                       Ratio(static_cast<double>(phase.tokens) * 1e9, wall),
                                       Ratio(wall / 1e6, static_cast<double>(phase.tokens)));
    const double gb_per_s = Ratio(static_cast<double>(matmuls.weight_bytes), wall);
    if (phase.name == "decode") {
      absl::StrAppendFormat(&text, " It reads weights at %.1f GB/s", gb_per_s);
      if (report.roofs.gb_per_s > 0)
        absl::StrAppendFormat(&text, ", %.0f %% of what this machine's memory gives",
                              100 * gb_per_s / report.roofs.gb_per_s);
    } else {
      const double gmac_per_s = Ratio(static_cast<double>(matmuls.macs), wall);
      absl::StrAppendFormat(&text, " It does %.0f GMAC/s", gmac_per_s);
      if (report.roofs.gmac_per_s_q8_0 > 0)
        absl::StrAppendFormat(&text, ", %.0f %% of the peak of int8",
                              100 * gmac_per_s / report.roofs.gmac_per_s_q8_0);
    }
    absl::StrAppendFormat(&text, "; %.1f %% of the time is not in matmuls. Most takes: %s.",
                          100 * rest, MostOf(report, phase, wall_ns));
    sentences.push_back(std::move(text));
  }
  return sentences;
}

std::string HtmlOf(const HtmlReport& report) {
  const ProfileReport& profile = *report.profile;
  const Program& program = *profile.program;
  Json passes = Json::array();
  for (const passes::PassStats& pass : report.passes) {
    passes.push_back({{"name", pass.name},
                      {"changed", pass.changed},
                      {"nodes_before", pass.nodes_before},
                      {"nodes_after", pass.nodes_after},
                      {"ops", pass.ops},
                      {"attributes", pass.attributes},
                      {"types", pass.types},
                      {"ms", pass.ms}});
  }
  Json graphs = Json::array();
  if (report.imported != nullptr) graphs.push_back(GraphJson(*report.imported, "as imported"));
  if (report.compiled != nullptr) graphs.push_back(GraphJson(*report.compiled, "as compiled"));
  const Json data = {{"version", kVersion},
                     {"summary", SummaryOf(profile)},
                     {"profile", ProfileJson(profile, ProfileBy::kOp)},
                     {"steps", StepsJson(program, PhaseOf(profile, "decode"))},
                     {"tokens", TokensJson(report.recorder->token_times())},
                     {"timelines", TimelinesJson(program, *report.recorder)},
                     {"memory", MemoryJson(program, report.compiled)},
                     {"passes", passes},
                     {"graphs", graphs}};
  // "</script>" in a name would end the script that holds the data.
  const std::string text = absl::StrReplaceAll(JsonText(data), {{"<", "\\u003c"}});
  return absl::StrReplaceAll(kReportPage, {{"@WEFT_REPORT_DATA@", text}});
}

}  // namespace weft::tools
