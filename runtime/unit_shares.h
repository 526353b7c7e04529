// How workers share the units of a step: each begins with a contiguous part, and takes from the
// others' once it is done with its own.
#pragma once

#include <absl/types/span.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <utility>

#include "runtime/schedule_point.h"

namespace weft {

// What is left of one worker's part. Each worker streams through weights that lie side by side, and
// a worker that the system held back is helped out. A cache line each: taking must not slow down
// the neighbour.
struct alignas(64) UnitShare {
  std::atomic<int64_t> next = 0;
  int64_t end = 0;
};

// First unit of a part and the one behind its last; parts are as equal as can be.
inline std::pair<int64_t, int64_t> PartOf(int64_t units, int64_t part, int64_t parts) {
  return {units * part / parts, units * (part + 1) / parts};
}

// Deals out `units`, a share per worker. No worker may be taking any.
inline void DealShares(int64_t units, absl::Span<UnitShare> shares) {
  for (size_t i = 0; i < shares.size(); ++i) {
    const auto [begin, end] =
        PartOf(units, static_cast<int64_t>(i), static_cast<int64_t>(shares.size()));
    shares[i].next.store(begin, std::memory_order_relaxed);
    shares[i].end = end;
  }
}

// Calls body(begin, end) with at most `grain` units at a time until none is left of any share,
// beginning with that of `worker`. `grain` is at most the number of units, so that `next` cannot
// overflow however many workers overshoot.
template <typename Body>
void TakeShares(absl::Span<UnitShare> shares, int worker, int64_t grain, const Body& body) {
  for (size_t i = 0; i < shares.size(); ++i) {
    UnitShare& share = shares[(static_cast<size_t>(worker) + i) % shares.size()];
    // Looking before adding keeps the line shared once the units are gone.
    while (share.next.load(std::memory_order_relaxed) < share.end) {
      SchedulePoint();
      const int64_t begin = share.next.fetch_add(grain, std::memory_order_relaxed);
      if (begin >= share.end) break;
      body(begin, std::min(begin + grain, share.end));
    }
  }
}

}  // namespace weft
