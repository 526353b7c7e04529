#include "tools/bench_stats.h"

#include <gtest/gtest.h>

namespace weft::tools {
namespace {

TEST(BenchStats, OfKnownSamples) {
  // Mean 5, sum of squares 32: the textbook's 2, 4, 4, 4, 5, 5, 7, 9.
  const std::vector<double> values = {9, 2, 4, 5, 4, 7, 4, 5};
  EXPECT_EQ(Mean(values), 5);
  EXPECT_DOUBLE_EQ(StandardDeviation(values), 2.1380899352993952);  // sqrt(32 / 7)
  EXPECT_EQ(Median(values), 4.5);
  EXPECT_EQ(Median({3, 1, 2}), 2);
}

TEST(BenchStats, PercentilesByNearestRank) {
  const std::vector<double> values = {15, 20, 35, 40, 50};
  EXPECT_EQ(Percentile(values, 0.05), 15);
  EXPECT_EQ(Percentile(values, 0.30), 20);
  EXPECT_EQ(Percentile(values, 0.40), 20);
  EXPECT_EQ(Percentile(values, 0.50), 35);
  EXPECT_EQ(Percentile(values, 1.00), 50);
}

TEST(BenchStats, OfLittle) {
  EXPECT_EQ(Mean({}), 0);
  EXPECT_EQ(Median({}), 0);
  EXPECT_EQ(Percentile({}, 0.5), 0);
  EXPECT_EQ(StandardDeviation({3}), 0);
}

}  // namespace
}  // namespace weft::tools
