#include "tests/corruption/heap_peak.h"

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <new>

#include "runtime/base/thread_clock.h"

namespace {

thread_local size_t held = 0;
thread_local size_t peak = 0;

void* Take(size_t bytes) {
  void* const block = std::malloc(bytes == 0 ? 1 : bytes);
  if (block == nullptr) throw std::bad_alloc();
  held += malloc_usable_size(block);
  peak = std::max(peak, held);
  return block;
}

void Give(void* block) {
  if (block == nullptr) return;
  held -= malloc_usable_size(block);
  std::free(block);
}

}  // namespace

void* operator new(size_t bytes) { return Take(bytes); }
void* operator new[](size_t bytes) { return Take(bytes); }
void operator delete(void* block) noexcept { Give(block); }
void operator delete[](void* block) noexcept { Give(block); }
void operator delete(void* block, size_t) noexcept { Give(block); }
void operator delete[](void* block, size_t) noexcept { Give(block); }

namespace weft::corruption {

size_t HeapPeak(const std::function<void()>& run) {
  const size_t before = held;
  peak = held;
  run();
  return peak - before;
}

double CpuSeconds(const std::function<void()>& run, int runs) {
  double least = 1e9;
  for (int i = 0; i < runs; ++i) {
    const double start = ThreadSeconds();
    run();
    least = std::min(least, ThreadSeconds() - start);
  }
  return least;
}

}  // namespace weft::corruption
