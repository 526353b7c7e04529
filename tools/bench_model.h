// Times a model in the manner of llama-bench: a prompt of P tokens (pp), N tokens one by one (tg),
// single steps over a few tokens (st), each after D others; beside the roof over the same weights.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/engine.h"

namespace weft::tools {

enum class BenchKind { kPrompt, kGenerate, kStep };

struct BenchTest {
  BenchKind kind = BenchKind::kPrompt;
  int64_t tokens = 0;
  int64_t depth = 0;

  std::string Name() const;  // "pp512", "tg128 @ d1024", "st4"
};

struct ModelBenchOptions {
  std::vector<int64_t> prompts = {512};
  std::vector<int64_t> generations = {128};
  std::vector<int64_t> steps;  // tokens of single steps
  std::vector<int64_t> depths = {0};
  std::vector<int> threads;
  int repetitions = 5;
  bool profile = false;
  // Called before each repetition, of `total` in all.
  std::function<void(const std::string& what, uint64_t done, uint64_t total)> progress;

  // By depth, in the order of the vectors; lengths of 0 are left out.
  std::vector<BenchTest> Tests() const;
  // Positions that the tests need.
  int64_t Context() const;
};

// What is the same in every test of a run.
struct BenchModel {
  std::string name;
  std::string weights;  // formats of what matmuls stream, most bytes first: "q8_0+f32"
  std::string kv;       // element type of the cache
  std::string target;
  std::string cpu;
  int64_t weight_bytes = 0;    // of the plan
  int64_t streamed_bytes = 0;  // of them read by every step
  int64_t batch = 0;           // most tokens of one step of prefill
};

struct BenchResult {
  BenchTest test;
  int threads = 0;
  std::vector<double> samples;  // tokens per second, one a repetition
  // Weights streamed and KV cache read, by token; a prompt's chunks share the weights.
  double bytes_per_token = 0;
  double gb_per_s = 0;              // of these, at the median
  std::vector<double> roofs;        // gigabytes per second, one a repetition
  std::vector<double> roof_shares;  // paired
  double gmac_per_s = 0;            // multiply-adds of matmuls, at the median
  bool in_cache = false;            // the streamed weights may stay in the caches
  std::vector<double> step_ms;      // of every step of tg and st
  double first_step_ms = 0;         // tg and st: the test's first, which the others leave out
  double ratio_to_one = 0;          // st: median of paired ratios to a step over one token
  // With options.profile, from a run of its own: share of the time that is not in matmuls, and
  // where it went.
  double outside_matmuls = 0;
  nlohmann::ordered_json trace;
  std::string trace_table;
};

struct ModelBenchResult {
  BenchModel model;
  std::vector<BenchResult> tests;
};

absl::StatusOr<ModelBenchResult> RunModelBench(const Engine& engine,
                                               const ModelBenchOptions& options);

}  // namespace weft::tools
