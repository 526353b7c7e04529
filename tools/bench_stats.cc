#include "tools/bench_stats.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace weft::tools {

double Mean(const std::vector<double>& values) {
  if (values.empty()) return 0;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double StandardDeviation(const std::vector<double>& values) {
  if (values.size() < 2) return 0;
  const double mean = Mean(values);
  double squares = 0;
  for (double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double Percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const auto rank = static_cast<int64_t>(std::ceil(share * static_cast<double>(values.size())));
  return values[static_cast<size_t>(
      std::clamp<int64_t>(rank - 1, 0, static_cast<int64_t>(values.size()) - 1))];
}

MedianInterval IntervalOfMedian(std::vector<double> values, double least_confidence) {
  if (values.empty()) return {};
  std::ranges::sort(values);
  const size_t count = values.size();
  // Both x(k) and x(n + 1 - k) miss with the probability of fewer than k heads of n fair coins.
  double heads = std::pow(0.5, static_cast<double>(count));  // probability of just `k - 1` heads
  double missed = 2 * heads;
  size_t k = 1;
  double confidence = 1 - missed;
  while (2 * (k + 1) <= count) {
    heads *= static_cast<double>(count - k + 1) / static_cast<double>(k);
    missed += 2 * heads;
    if (1 - missed < least_confidence) break;
    confidence = 1 - missed;
    ++k;
  }
  return {Median(values), values[k - 1], values[count - k], std::max(0.0, confidence)};
}

std::vector<double> PairedRatios(const std::vector<double>& numerators,
                                 const std::vector<double>& denominators) {
  std::vector<double> ratios;
  for (size_t i = 0; i < std::min(numerators.size(), denominators.size()); ++i)
    ratios.push_back(numerators[i] / denominators[i]);
  return ratios;
}

}  // namespace weft::tools
