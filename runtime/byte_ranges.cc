#include "runtime/byte_ranges.h"

#include <algorithm>

namespace weft {

void ByteRanges::Add(ByteRange range) {
  if (range.begin >= range.end) return;
  // Swallow every range that overlaps or touches.
  auto next = ranges_.upper_bound(range.begin);
  if (next != ranges_.begin() && std::prev(next)->second >= range.begin) --next;
  while (next != ranges_.end() && next->first <= range.end) {
    range.begin = std::min(range.begin, next->first);
    range.end = std::max(range.end, next->second);
    next = ranges_.erase(next);
  }
  ranges_.emplace_hint(next, range.begin, range.end);
}

bool ByteRanges::Overlaps(ByteRange range) const {
  if (range.begin >= range.end) return false;
  // The last range that begins before the end is the only one to ask: those before it end earlier.
  const auto next = ranges_.lower_bound(range.end);
  return next != ranges_.begin() && std::prev(next)->second > range.begin;
}

std::vector<ByteRange> ByteRanges::Ranges() const {
  std::vector<ByteRange> result;
  result.reserve(ranges_.size());
  for (const auto& [begin, end] : ranges_) result.push_back({begin, end});
  return result;
}

std::vector<ByteRange> ByteRanges::Complement(uint64_t size) const {
  std::vector<ByteRange> result;
  uint64_t done = 0;
  for (const auto& [begin, end] : ranges_) {
    if (begin >= size) break;
    if (begin > done) result.push_back({done, begin});
    done = end;
  }
  if (done < size) result.push_back({done, size});
  return result;
}

}  // namespace weft
