// How long many calls took, in bounded memory.
#pragma once

#include <cstdint>
#include <vector>

namespace weft {

// Counts of times in buckets whose width is a sixteenth of their octave, so that a percentile is
// within 1/32 of a time that was added; sum, least and largest are exact.
class TimeHistogram {
 public:
  void Add(int64_t ns);
  void Merge(const TimeHistogram& other);

  int64_t count() const { return count_; }
  int64_t total_ns() const { return total_ns_; }
  int64_t min_ns() const { return min_ns_; }  // 0 of none
  int64_t max_ns() const { return max_ns_; }
  double MeanNs() const;
  // The time below or at which `share` of the calls were (nearest rank); 0 of none.
  int64_t PercentileNs(double share) const;

 private:
  std::vector<uint32_t> counts_;  // by bucket, as far as any call went
  int64_t count_ = 0;
  int64_t total_ns_ = 0;
  int64_t min_ns_ = 0;
  int64_t max_ns_ = 0;
};

}  // namespace weft
