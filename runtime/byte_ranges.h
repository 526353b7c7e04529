// A set of bytes as sorted, disjoint ranges.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

namespace weft {

struct ByteRange {
  uint64_t begin = 0;
  uint64_t end = 0;  // exclusive
  bool operator==(const ByteRange&) const = default;
};

// Adding and asking take O(log n) of the ranges held (amortised). Empty ranges hold nothing and
// overlap nothing.
class ByteRanges {
 public:
  void Add(ByteRange range);
  bool Overlaps(ByteRange range) const;
  void Clear() { ranges_.clear(); }
  // In order; ranges that touch are one.
  std::vector<ByteRange> Ranges() const;
  // What of [0, size) the set does not hold, in order.
  std::vector<ByteRange> Complement(uint64_t size) const;

 private:
  std::map<uint64_t, uint64_t> ranges_;  // begin → end; disjoint, not touching
};

}  // namespace weft
