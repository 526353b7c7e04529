// One matmul from memory, beside the roof over the same pages.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/abi/data_type.h"

namespace weft::tools {

struct MatmulBenchOptions {
  int64_t n = 0, k = 0, tokens = 1;  // [tokens x k] x [n x k]
  DataType format = DataType::kQ8_0;
  std::string target = "host";
  int threads = 1;
  int rounds = 15;
};

struct MatmulBenchResult {
  MatmulBenchOptions options;
  int64_t weight_bytes = 0;
  double seconds = 0;        // median over the rounds of a call's mean
  double gb_per_s = 0;       // of weights
  double roof_gb_per_s = 0;  // median over the rounds
  double roof_share = 0;     // median of paired ratios
  double gmac_per_s = 0;
  // Over all calls: 99th of 100 by time over the middle one, and the same of plain reading.
  double p99_over_p50 = 0;
  double reader_p99_over_p50 = 0;
};

// "N,K" or "N,K,T".
absl::Status ParseMatmulShape(const std::string& text, MatmulBenchOptions* options);

// Rounds of roof, then as many calls as there are copies of the weights, so that all come from
// memory. Calls follow each other as the steps of a program do.
absl::StatusOr<MatmulBenchResult> RunMatmulBench(const MatmulBenchOptions& options);

std::string MatmulBenchText(const MatmulBenchResult& result);
nlohmann::ordered_json MatmulBenchJson(const MatmulBenchResult& result);

}  // namespace weft::tools
