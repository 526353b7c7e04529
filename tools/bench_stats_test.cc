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

// n, k and the confidence of x(k) to x(n + 1 - k): 1 - 2 · (C(n,0) + … + C(n,k-1)) / 2^n, as tables
// of the sign test have it.
TEST(BenchStats, IntervalsOfTheMedianAreOrderStatistics) {
  const auto first = [](int count) {
    std::vector<double> values;
    for (int i = count; i >= 1; --i) values.push_back(i);
    return values;
  };
  const struct {
    int count;
    int k;
    double confidence;
  } cases[] = {{1, 1, 0},           {2, 1, 0.5},         {5, 1, 0.9375},      {6, 1, 0.96875},
               {8, 1, 0.9921875},   {9, 2, 0.9609375},   {11, 2, 0.98828125}, {12, 3, 0.961425781},
               {15, 4, 0.96484375}, {25, 8, 0.956714749}};
  for (const auto& expected : cases) {
    const MedianInterval interval = IntervalOfMedian(first(expected.count));
    EXPECT_EQ(interval.low, expected.k) << expected.count;
    EXPECT_EQ(interval.high, expected.count + 1 - expected.k) << expected.count;
    EXPECT_NEAR(interval.confidence, expected.confidence, 1e-9) << expected.count;
    EXPECT_EQ(interval.median, (expected.count + 1) / 2.0);
  }
  EXPECT_EQ(IntervalOfMedian({}).confidence, 0);
  EXPECT_EQ(IntervalOfMedian(first(9), 0.8).low, 3);  // 1 - 2 · (1 + 9 + 36) / 512 = 0.820
}

TEST(BenchStats, RatiosArePaired) {
  EXPECT_EQ(PairedRatios({2, 3, 8}, {1, 2, 4}), (std::vector<double>{2, 1.5, 2}));
  EXPECT_TRUE(PairedRatios({}, {1}).empty());
}

}  // namespace
}  // namespace weft::tools
