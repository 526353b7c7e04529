// How much of the heap something takes at its peak: the test's operator new counts.
#pragma once

#include <cstddef>
#include <functional>

namespace weft::corruption {

// The most bytes that `run` had at one time through operator new, on this thread, beyond those that
// were there before.
size_t HeapPeak(const std::function<void()>& run);

// Of this thread, the least of so many runs.
double CpuSeconds(const std::function<void()>& run, int runs = 3);

}  // namespace weft::corruption
