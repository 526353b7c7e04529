// The time that the calling thread has computed for: bounds and measurements that other work on the
// machine does not touch.
#pragma once

#include <ctime>

namespace weft {

inline double ThreadSeconds() {
  timespec time = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace weft
