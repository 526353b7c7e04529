// A plan's weights in 2 MiB pages, copied in the background while the file's own pages serve.
#pragma once

#include <absl/base/thread_annotations.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>

#include "runtime/anonymous_memory.h"
#include "runtime/base/mapped_file.h"

namespace weft {

// Streaming from 2 MiB pages is faster than from the file's 4 KiB pages, but filling them takes
// longer than a short prompt: nobody waits for the copy. It grows from its first byte; whoever
// reads weights takes those that are there from the copy and the others from the map. The price is
// memory of this process that processes would otherwise share.
class WeightCopy {
 public:
  // Begins to copy `size` bytes from `offset` on. Errors: a range beyond the file; less than twice
  // as much memory available as the copy takes (where memory is short, pages that the kernel can
  // drop are better); no thread to be had.
  static absl::StatusOr<std::unique_ptr<WeightCopy>> Start(std::shared_ptr<const MappedFile> file,
                                                           uint64_t offset, uint64_t size);
  // Ends the thread, whether it is done or not.
  ~WeightCopy();
  WeightCopy(const WeightCopy&) = delete;
  WeightCopy& operator=(const WeightCopy&) = delete;

  const uint8_t* data() const { return memory_.data(); }
  uint64_t size() const { return memory_.size(); }
  // Bytes from data() on that are as in the file and stay so. Never shrinks. Does not reach size()
  // where the file cannot be read any more.
  uint64_t ready() const { return ready_.load(std::memory_order_acquire); }

  // While paused, no new section of some megabytes begins: a core less for somebody else.
  void Pause(bool paused);
  // Nobody reads these bytes of the map any more: gives its pages back.
  void ReleaseMap() const;
  // Returns when there is no more to come, which a pause puts off.
  void Wait();

 private:
  WeightCopy(std::shared_ptr<const MappedFile> file, uint64_t offset, AnonymousMemory memory)
      : file_(std::move(file)), offset_(offset), memory_(std::move(memory)) {}
  void Work();
  // False: the thread is to end.
  bool MayGoOn();

  const std::shared_ptr<const MappedFile> file_;
  const uint64_t offset_;
  const AnonymousMemory memory_;
  std::atomic<uint64_t> ready_ = 0;
  absl::Mutex mutex_;
  bool paused_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

// What processes may still take without driving others out: of the machine, or of the control group
// that contains this one where that is less.
uint64_t AvailableMemory();

}  // namespace weft
