#include "runtime/stack_room.h"

#include <absl/strings/str_cat.h>
#include <pthread.h>

#include <cstdint>

namespace weft {
namespace {

struct Bounds {
  uintptr_t low = 0;
  uintptr_t high = 0;
};

// Empty where they cannot be told.
Bounds BoundsOfThisThread() {
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return {};
  void* low = nullptr;
  size_t size = 0;
  const int error = pthread_attr_getstack(&attributes, &low, &size);
  pthread_attr_destroy(&attributes);
  if (error != 0) return {};
  const auto begin = reinterpret_cast<uintptr_t>(low);
  return {begin, begin + size};
}

}  // namespace

absl::Status CheckStackRoom(size_t bytes) {
  // Of the main thread this reads /proc/self/maps: once for each thread.
  thread_local const Bounds bounds = BoundsOfThisThread();
  const auto here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  if (here < bounds.low || here >= bounds.high || here - bounds.low >= bytes)
    return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("this thread has ", (here - bounds.low) >> 10, " KiB of its stack left, but ",
                   bytes >> 10, " may be needed (a thread with a larger stack, or ulimit -s)"));
}

}  // namespace weft
