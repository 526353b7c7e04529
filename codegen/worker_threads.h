// Threads for the length of one piece of work.
#pragma once

#include <cstdint>
#include <system_error>
#include <thread>
#include <vector>

namespace weft::codegen {

// Calls `work` here and on up to `count` - 1 threads more, on fewer where the system has no more to
// give, and returns when all calls have. So `work` must be right however many run it.
template <typename Work>
void RunOnThreads(int64_t count, const Work& work) {
  std::vector<std::jthread> helpers;
  bool more = true;
  for (int64_t i = 1; more && i < count; ++i) {
    try {
      helpers.emplace_back(work);
    } catch (const std::system_error&) {
      more = false;  // those that there are do what is to be done
    }
  }
  work();
}

}  // namespace weft::codegen
