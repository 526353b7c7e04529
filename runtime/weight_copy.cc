#include "runtime/weight_copy.h"

#include <absl/cleanup/cleanup.h>
#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <new>
#include <system_error>

#include "runtime/anonymous_memory.h"
#include "runtime/base/memory_room.h"

namespace weft {
namespace {

// Two huge pages: some milliseconds, so that a pause takes effect soon. Each section may stay a map
// of its own, of which a process has 65,530: more than 32 GB take longer ones.
uint64_t SectionBytes(uint64_t size) {
  constexpr uint64_t kLeast = 2 * MappedBlock::kAlignment;
  constexpr uint64_t kMostSections = 8192;
  return (size / kMostSections + kLeast) / kLeast * kLeast;
}
// About a tenth of a busy core's time, all of an idle one's.
constexpr int kNice = 10;

}  // namespace

absl::StatusOr<std::unique_ptr<WeightCopy>> WeightCopy::Start(
    std::shared_ptr<const MappedBlock> weights, bool lock, uint64_t reserved) {
  const uint64_t available = FindMemoryRoom().available;
  if (reserved > available || weights->bytes().size() > (available - reserved) / 2)
    return absl::ResourceExhaustedError("too little memory for a copy of the weights");
  auto copy = std::unique_ptr<WeightCopy>(new WeightCopy(std::move(weights), lock));
  try {
    copy->thread_ = std::thread([&worker = *copy] { worker.Work(); });
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(absl::StrCat("cannot start a thread: ", error.what()));
  }
  return copy;
}

WeightCopy::~WeightCopy() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  decided_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void WeightCopy::Pause(bool paused) {
  {
    const std::lock_guard lock(mutex_);
    paused_ = paused;
  }
  decided_.notify_all();
}

void WeightCopy::Wait() {
  Pause(false);
  if (thread_.joinable()) thread_.join();
}

bool WeightCopy::MayGoOn() {
  std::unique_lock lock(mutex_);
  decided_.wait(lock, [this] { return stop_ || !paused_; });
  return !stop_;
}

bool WeightCopy::MoveSection(uint64_t offset, uint64_t bytes) {
  constexpr uint64_t kPage = MappedBlock::kAlignment;
  auto section =
      AnonymousMemory::Map((bytes + kPage - 1) / kPage * kPage, "a section of the weights");
  if (!section.ok()) return false;
  // Reading goes past the map, so that its pages are neither touched nor looked up.
  if (!weights_->Read(offset, absl::MakeSpan(section->data(), bytes)).ok()) return false;
  if (lock_ && mlock(section->data(), section->size()) != 0) return false;
  return (*std::move(section)).MoveTo(const_cast<uint8_t*>(weights_->bytes().data()) + offset).ok();
}

void WeightCopy::Work() {
  (void)setpriority(PRIO_PROCESS, 0, kNice);  // of this thread alone, on Linux; a wish
  const uint64_t size = weights_->bytes().size();
  const uint64_t section = SectionBytes(size);
  const absl::Cleanup end = [this] { ended_.store(true, std::memory_order_release); };
  try {
    for (uint64_t done = 0; done < size && MayGoOn();) {
      const uint64_t bytes = std::min(section, size - done);
      if (!MoveSection(done, bytes)) break;
      done += bytes;
      moved_.store(done, std::memory_order_release);
    }
  } catch (const std::bad_alloc&) {
    return;  // memory is short, and the file's pages serve
  }
}

}  // namespace weft
