// Statistics of measurements.
#pragma once

#include <vector>

namespace weft::tools {

// All 0 for no values.
double Mean(const std::vector<double>& values);
// Of a sample: divided by n - 1; 0 for a single value.
double StandardDeviation(const std::vector<double>& values);
double Median(std::vector<double> values);
// The smallest value that is not below `share` of the values (nearest rank): share 0.99 of 100
// values is the 99th in order, share 1 the largest.
double Percentile(std::vector<double> values, double share);

// A median, and what the median of all that could have been measured lies in with at least
// `confidence`, whatever the distribution, where values are independent: the order statistics
// x(k), x(n + 1 - k) for the largest k that reaches 95 %, and with fewer than 6 values the least
// and the largest at what they reach (H. A. David, H. N. Nagaraja, Order Statistics, 3rd ed.,
// section 7.1).
struct MedianInterval {
  double median = 0;
  double low = 0;
  double high = 0;
  double confidence = 0;  // 0 for a single value, which says nothing
};
MedianInterval IntervalOfMedian(std::vector<double> values, double least_confidence = 0.95);

// numerators[i] / denominators[i], as many as there are pairs.
std::vector<double> PairedRatios(const std::vector<double>& numerators,
                                 const std::vector<double>& denominators);

}  // namespace weft::tools
