// Variants of how to compile a model, what was measured of them, and which to adopt.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/arguments.h"
#include "tools/bench_stats.h"
#include "tools/evaluate.h"

namespace weft::tools {

// What to try: all combinations. A list of one value holds for all variants, an empty one leaves
// the default.
struct ExploredOptions {
  std::vector<int64_t> q8_thresholds;
  std::vector<std::string> weights;
  std::vector<std::string> kv;
  std::vector<std::string> targets;
  // Each against leaving it out.
  std::vector<std::string> disabled;
  std::vector<std::string> formats;
};

inline constexpr size_t kMaxVariants = 32;

struct Variant {
  std::string name;  // the options that vary, as one would type them
  ModelArguments arguments;
};

// The base first: of every option the default, where that is among the values, else the first of
// them; nothing disabled, no format by name. Errors: more than kMaxVariants, a single one.
absl::StatusOr<std::vector<Variant>> Variants(const ModelArguments& base,
                                              const ExploredOptions& options);

struct ExploredVariant {
  std::string name;
  int same_as = -1;  // an earlier variant that compiles to the same; then only the name holds
  int64_t weight_bytes = 0;
  int64_t code_bytes = 0;
  int64_t kv_bytes = 0;
  int64_t arena_bytes = 0;
  // Tokens per second, one a round.
  std::vector<double> prefill;
  std::vector<double> decode;
  std::optional<TextScore> score;  // none where no text was scored

  // What it takes in memory while it runs.
  int64_t PeakBytes() const { return weight_bytes + kv_bytes + arena_bytes; }
};

struct Exploration {
  std::string model;
  std::string cpu;
  int threads = 0;
  int64_t prompt = 0;
  int64_t generated = 0;
  std::string text;  // what was scored; empty: nothing was
  double kl_margin = 0;
  std::vector<ExploredVariant> variants;  // the base first
  // The base once more, from other memory, in the same rounds.
  std::vector<double> control_prefill;
  std::vector<double> control_decode;
};

// What ratios of speeds to the base lie in where nothing differs: 1, and the interval that the
// control's ratio to the base has, either way.
struct NoiseBand {
  double low = 1;
  double high = 1;
  // Whether an interval says more than noise: it has a confidence of 90 % at least, and no part of
  // it is in the band.
  bool Above(const MedianInterval& ratio) const;
  bool Below(const MedianInterval& ratio) const;
};
NoiseBand NoiseOf(const std::vector<double>& base, const std::vector<double>& control);

struct Recommendation {
  size_t adopted = 0;
  std::vector<std::string> sentences;
};

// 1. Of the variants whose mean KL divergence is at most the least of all plus `kl_margin` (all,
// where nothing was scored), 2. those whose decoding cannot be told from the fastest's by its
// rounds, 3. of them those that take at most 5 % more memory than the least of them, 4. the
// base if it is left, else the one with the least divergence, else the first.
Recommendation Recommend(const Exploration& exploration);

std::string ExplorationText(const Exploration& exploration);
nlohmann::ordered_json ExplorationJson(const Exploration& exploration);

}  // namespace weft::tools
