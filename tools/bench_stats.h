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

}  // namespace weft::tools
