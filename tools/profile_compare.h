// Two profiles side by side, row by row.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/bench_stats.h"

namespace weft::tools {

struct ComparedSide {
  std::string name;                    // as the user gave it
  std::vector<nlohmann::json> rounds;  // each as ProfileJson makes them
};

// Steps of one kind, on both sides or on one alone.
struct ComparedRow {
  // Of both sides; empty where a side has no such row, or where dims and format have no meaning.
  std::string op[2];
  std::string dims[2];
  std::string format[2];
  bool has[2] = {false, false};
  double us[2] = {0, 0};        // time per token, the median of the rounds
  double gb_per_s[2] = {0, 0};  // of weights, total over total of all rounds; 0: streams none
  // B's time over A's: below 1, B is faster. Where both sides have times, else all 0.
  MedianInterval ratio;
};

struct ComparedPhase {
  std::string name;
  size_t rounds[2] = {0, 0};      // in which it ran
  std::vector<ComparedRow> rows;  // rows of both sides first, most time first
  // What makes up the phase: matmuls and others of both sides, rows of one side alone, what no
  // step accounts for, wall time.
  std::vector<ComparedRow> totals;
};

struct Comparison {
  std::string name[2];
  std::string model[2];
  std::string target[2];
  int64_t threads[2] = {0, 0};
  bool in_turns = false;
  std::vector<ComparedPhase> phases;  // that both sides have
};

// Rows are matched by op, dims and format, then by what of that is left without the format, then
// without the epilogue. Where the sides ran in turns, round i of one beside round i of the other,
// ratios are the median of those of the rounds; else the ratio of the medians, in an interval made
// of those of both. Errors: what is no profile, with the name of its side.
absl::StatusOr<Comparison> Compare(const ComparedSide& a, const ComparedSide& b, bool in_turns);

std::string ComparisonText(const Comparison& comparison);
nlohmann::ordered_json ComparisonJson(const Comparison& comparison);
std::string ComparisonCsv(const Comparison& comparison);

// The rounds of what `weft profile --json` wrote; without --rounds, one.
absl::StatusOr<ComparedSide> ReadProfile(const std::string& path);
// Whether the file holds JSON, rather than a model or plan.
bool LooksLikeProfile(const std::string& path);

}  // namespace weft::tools
