#include "tools/bench_report.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "runtime/version.h"
#include "tools/bench_stats.h"
#include "tools/json_text.h"
#include "tools/table.h"

namespace weft::tools {
namespace {

bool HasSteps(const BenchResult& result) { return !result.step_ms.empty(); }

nlohmann::ordered_json TestJson(const BenchModel& model, const BenchResult& result) {
  const auto tokens_of = [&](BenchKind kind) {
    return result.test.kind == kind ? result.test.tokens : 0;
  };
  nlohmann::ordered_json json = {{"test", result.test.Name()},
                                 {"n_prompt", tokens_of(BenchKind::kPrompt)},
                                 {"n_gen", tokens_of(BenchKind::kGenerate)},
                                 {"step_tokens", tokens_of(BenchKind::kStep)},
                                 {"n_depth", result.test.depth},
                                 {"weft_version", kVersion},
                                 {"model", model.name},
                                 {"weights", model.weights},
                                 {"kv", model.kv},
                                 {"target", model.target},
                                 {"cpu", model.cpu},
                                 {"threads", result.threads},
                                 {"n_batch", model.batch},
                                 {"weight_bytes", model.weight_bytes},
                                 {"streamed_bytes", model.streamed_bytes},
                                 {"weights_fit_caches", result.in_cache},
                                 {"tokens_per_s", Mean(result.samples)},
                                 {"stdev", StandardDeviation(result.samples)},
                                 {"median", Median(result.samples)},
                                 {"samples", result.samples},
                                 {"bytes_per_token", result.bytes_per_token},
                                 {"gb_per_s", result.gb_per_s},
                                 {"roof_gb_per_s", Median(result.roofs)},
                                 {"roof_share", Median(result.roof_shares)},
                                 {"roof_share_samples", result.roof_shares},
                                 {"gmac_per_s", result.gmac_per_s}};
  if (HasSteps(result)) {
    json["step_ms_p50"] = Percentile(result.step_ms, 0.5);
    json["step_ms_p99"] = Percentile(result.step_ms, 0.99);
    json["step_ms_max"] = Percentile(result.step_ms, 1);
    json["first_step_ms"] = result.first_step_ms;
  }
  if (result.test.kind == BenchKind::kStep) json["ratio_to_one"] = result.ratio_to_one;
  if (!result.trace.is_null()) {
    json["outside_matmuls"] = result.outside_matmuls;
    json["trace"] = result.trace;
  }
  return json;
}

}  // namespace

nlohmann::ordered_json BenchJson(const ModelBenchResult& result) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const BenchResult& test : result.tests) json.push_back(TestJson(result.model, test));
  return json;
}

std::string BenchMarkdown(const ModelBenchResult& result) {
  const BenchModel& model = result.model;
  Table table({"model", "weights", "kv", "target", "threads", "test", "t/s", "MB/token", "GB/s",
               "roof GB/s", "share", "GMAC/s", "step ms p50 / p99 / max", "first", "x 1 token"});
  table.AlignRight({4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14});
  bool in_cache = false;
  for (const BenchResult& test : result.tests) {
    in_cache = in_cache || test.in_cache;
    std::string steps = "-";
    if (HasSteps(test)) {
      steps = absl::StrFormat("%.2f / %.2f / %.2f", Percentile(test.step_ms, 0.5),
                              Percentile(test.step_ms, 0.99), Percentile(test.step_ms, 1));
    }
    table.Add(
        {model.name, model.weights, model.kv, model.target, absl::StrCat(test.threads),
         test.test.Name(),
         absl::StrFormat("%.2f ± %.2f", Mean(test.samples), StandardDeviation(test.samples)),
         absl::StrFormat("%.2f", test.bytes_per_token / 1e6),
         absl::StrFormat("%.1f", test.gb_per_s), absl::StrFormat("%.1f", Median(test.roofs)),
         absl::StrFormat("%.2f", Median(test.roof_shares)),
         absl::StrFormat("%.1f", test.gmac_per_s), steps,
         HasSteps(test) ? absl::StrFormat("%.2f", test.first_step_ms) : "-",
         test.test.kind == BenchKind::kStep ? absl::StrFormat("%.2f", test.ratio_to_one) : "-"});
  }
  std::string text = absl::StrCat(
      table.ToMarkdown(), "\n", model.cpu, "; weft ", kVersion,
      absl::StrFormat("; %.1f MB of weights, %.1f MB of them read by every step; prompts in steps "
                      "of %d tokens\n",
                      static_cast<double>(model.weight_bytes) / 1e6,
                      static_cast<double>(model.streamed_bytes) / 1e6, model.batch));
  if (in_cache) {
    absl::StrAppend(&text,
                    "The weights fit the caches of this machine: roof and share are those of "
                    "caches, not of memory.\n");
  }
  for (const BenchResult& test : result.tests) {
    if (test.trace.is_null()) continue;
    absl::StrAppend(&text,
                    absl::StrFormat("\n%s, %d threads, a run with the profiler on: %.1f %% of the "
                                    "time outside matmuls\n\n",
                                    test.test.Name(), test.threads, 100 * test.outside_matmuls),
                    test.trace_table);
  }
  return text;
}

std::string BenchCsv(const ModelBenchResult& result) {
  // Tests differ in what they have; a column is there if one of them has it.
  const nlohmann::ordered_json tests = BenchJson(result);
  std::vector<std::string> columns;
  for (const nlohmann::ordered_json& test : tests) {
    for (const auto& [name, value] : test.items()) {
      if (!value.is_structured() && std::ranges::find(columns, name) == columns.end())
        columns.push_back(name);
    }
  }
  std::string text = absl::StrCat(absl::StrJoin(columns, ","), "\n");
  for (const nlohmann::ordered_json& test : tests) {
    std::vector<std::string> cells;
    for (const std::string& column : columns) {
      if (!test.contains(column)) {
        cells.emplace_back();
      } else if (test[column].is_string()) {
        cells.push_back(absl::StrCat(
            "\"", absl::StrReplaceAll(test[column].get<std::string>(), {{"\"", "\"\""}}), "\""));
      } else {
        cells.push_back(JsonText(test[column]));
      }
    }
    absl::StrAppend(&text, absl::StrJoin(cells, ","), "\n");
  }
  return text;
}

}  // namespace weft::tools
