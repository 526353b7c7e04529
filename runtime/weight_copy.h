// A plan's weights move to 2 MiB pages in the background, while they are read.
#pragma once

#include <absl/status/statusor.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>

#include "runtime/base/mapped_block.h"

namespace weft {

// Streaming from 2 MiB pages is faster than from the file's 4 KiB pages, but filling them takes
// longer than a short prompt: nobody waits for it. Section by section is read into memory of this
// process, which then takes the place of the file's pages at the same addresses, so that readers
// notice nothing and no more than one section is held twice. The price is memory that processes
// would otherwise share.
class WeightCopy {
 public:
  // Makes ready to begin with Pause(false). With `lock` sections are locked in memory, as the
  // caller has done with the file's pages. Errors: less than twice as much memory available as the
  // weights take, beside `reserved` bytes for others (where memory is short, pages that the kernel
  // can drop are better); no thread to be had.
  static absl::StatusOr<std::unique_ptr<WeightCopy>> Start(
      std::shared_ptr<const MappedBlock> weights, bool lock = false, uint64_t reserved = 0);
  // Ends the thread, whether it is done or not.
  ~WeightCopy();
  WeightCopy(const WeightCopy&) = delete;
  WeightCopy& operator=(const WeightCopy&) = delete;

  // Bytes from the first on that have moved.
  uint64_t moved() const { return moved_.load(std::memory_order_acquire); }
  // Nothing is left to do, or it cannot go on: memory is short, or the file cannot be read any
  // more.
  bool ended() const { return ended_.load(std::memory_order_acquire); }

  // While paused, as at first, no new section of some megabytes begins: a core and memory's rate
  // for whoever waits for a first token.
  void Pause(bool paused);
  // Goes on if it was paused, and returns when it has ended.
  void Wait();

 private:
  WeightCopy(std::shared_ptr<const MappedBlock> weights, bool lock)
      : weights_(std::move(weights)), lock_(lock) {}
  void Work();
  // False: it failed.
  bool MoveSection(uint64_t offset, uint64_t bytes);
  // False: the thread is to end.
  bool MayGoOn();

  const std::shared_ptr<const MappedBlock> weights_;
  const bool lock_;
  std::atomic<uint64_t> moved_ = 0;
  std::atomic<bool> ended_ = false;
  std::mutex mutex_;  // which the thread sanitizer sees through, unlike that of a packaged Abseil
  std::condition_variable decided_;
  bool paused_ = true;  // under mutex_, as stop_
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace weft
