#include "runtime/time_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace weft {
namespace {

constexpr int kSubBits = 4;  // 16 buckets an octave
constexpr uint64_t kSubBuckets = uint64_t{1} << kSubBits;

// Times below 16 have a bucket each; above, the highest five bits of a time name its bucket.
size_t BucketOf(int64_t ns) {
  const auto time = static_cast<uint64_t>(std::max<int64_t>(ns, 0));
  if (time < kSubBuckets) return time;
  const int shift = std::bit_width(time) - 1 - kSubBits;
  return (static_cast<size_t>(shift) << kSubBits) + (time >> shift);
}

// The middle of a bucket's times.
int64_t MiddleOf(size_t bucket) {
  if (bucket < 2 * kSubBuckets) return static_cast<int64_t>(bucket);
  const size_t shift = (bucket >> kSubBits) - 1;
  const size_t first = ((bucket & (kSubBuckets - 1)) + kSubBuckets) << shift;
  return static_cast<int64_t>(first + ((size_t{1} << shift) - 1) / 2);
}

}  // namespace

void TimeHistogram::Add(int64_t ns) {
  const size_t bucket = BucketOf(ns);
  if (bucket >= counts_.size()) counts_.resize(bucket + 1);
  ++counts_[bucket];
  min_ns_ = count_ == 0 ? ns : std::min(min_ns_, ns);
  max_ns_ = std::max(max_ns_, ns);
  ++count_;
  total_ns_ += ns;
}

void TimeHistogram::Merge(const TimeHistogram& other) {
  if (other.count_ == 0) return;
  counts_.resize(std::max(counts_.size(), other.counts_.size()));
  for (size_t i = 0; i < other.counts_.size(); ++i) counts_[i] += other.counts_[i];
  min_ns_ = count_ == 0 ? other.min_ns_ : std::min(min_ns_, other.min_ns_);
  max_ns_ = std::max(max_ns_, other.max_ns_);
  count_ += other.count_;
  total_ns_ += other.total_ns_;
}

double TimeHistogram::MeanNs() const {
  return count_ == 0 ? 0 : static_cast<double>(total_ns_) / static_cast<double>(count_);
}

int64_t TimeHistogram::PercentileNs(double share) const {
  if (count_ == 0) return 0;
  const auto rank = std::clamp<int64_t>(
      static_cast<int64_t>(std::ceil(share * static_cast<double>(count_))), 1, count_);
  int64_t below = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    below += counts_[i];
    if (below >= rank) return std::clamp(MiddleOf(i), min_ns_, max_ns_);
  }
  return 0;
}

}  // namespace weft
