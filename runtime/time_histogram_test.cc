#include "runtime/time_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace weft {
namespace {

TEST(TimeHistogramTest, NothingAddedIsZero) {
  const TimeHistogram none;
  EXPECT_EQ(none.count(), 0);
  EXPECT_EQ(none.min_ns(), 0);
  EXPECT_EQ(none.MeanNs(), 0);
  EXPECT_EQ(none.PercentileNs(0.5), 0);
}

TEST(TimeHistogramTest, PercentilesAreWithinAThirtySecondOfTheSortedTimes) {
  std::mt19937_64 random(3);
  for (const double octaves : {0.5, 3.0, 30.0}) {
    std::vector<int64_t> times;
    TimeHistogram histogram;
    std::uniform_real_distribution<double> exponent(0, octaves);
    for (int i = 0; i < 999; ++i) {
      times.push_back(static_cast<int64_t>(40 * std::exp2(exponent(random))));
      histogram.Add(times.back());
    }
    std::sort(times.begin(), times.end());
    for (const double share : {0.01, 0.5, 0.95, 0.99, 1.0}) {
      const auto rank = static_cast<size_t>(std::ceil(share * 999)) - 1;
      const auto expected = static_cast<double>(times[rank]);
      EXPECT_NEAR(static_cast<double>(histogram.PercentileNs(share)), expected, expected / 32 + 1)
          << share << " over " << octaves << " octaves";
    }
    EXPECT_EQ(histogram.min_ns(), times.front());
    EXPECT_EQ(histogram.max_ns(), times.back());
  }
}

TEST(TimeHistogramTest, MergedIsAsIfAddedToOne) {
  TimeHistogram a;
  TimeHistogram b;
  TimeHistogram both;
  for (int64_t i = 0; i < 100; ++i) {
    TimeHistogram& one = i % 3 == 0 ? a : b;
    one.Add(i * i * 17);
    both.Add(i * i * 17);
  }
  a.Merge(b);
  a.Merge(TimeHistogram());
  EXPECT_EQ(a.count(), 100);
  EXPECT_EQ(a.total_ns(), both.total_ns());
  EXPECT_EQ(a.min_ns(), 0);
  EXPECT_EQ(a.max_ns(), 99 * 99 * 17);
  for (const double share : {0.1, 0.5, 0.9})
    EXPECT_EQ(a.PercentileNs(share), both.PercentileNs(share));
}

TEST(TimeHistogramTest, ExtremesNeitherOverflowNorCrash) {
  TimeHistogram histogram;
  histogram.Add(0);
  histogram.Add(-5);  // a clock that went back
  histogram.Add(int64_t{1} << 62);
  EXPECT_EQ(histogram.PercentileNs(1), int64_t{1} << 62);
  EXPECT_EQ(histogram.min_ns(), -5);
}

}  // namespace
}  // namespace weft
