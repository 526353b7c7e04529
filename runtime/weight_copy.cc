#include "runtime/weight_copy.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>
#include <system_error>

namespace weft {
namespace {

// Two huge pages: some milliseconds, so that a pause takes effect soon.
constexpr uint64_t kSectionBytes = uint64_t{4} << 20;
// About a tenth of a busy core's time, all of an idle one's.
constexpr int kNice = 10;

// The number in a file of a control group; "max", like a missing file, is none.
uint64_t GroupLimit(const char* path) {
  uint64_t limit = 0;
  return std::ifstream(path) >> limit ? limit : std::numeric_limits<uint64_t>::max();
}

}  // namespace

uint64_t AvailableMemory() {
  uint64_t available = 0;
  std::ifstream meminfo("/proc/meminfo");
  for (std::string name; meminfo >> name;) {
    if (name == "MemAvailable:" && meminfo >> available) break;
    meminfo.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return std::min({available * 1024, GroupLimit("/sys/fs/cgroup/memory.max"),
                   GroupLimit("/sys/fs/cgroup/memory/memory.limit_in_bytes")});
}

absl::StatusOr<std::unique_ptr<WeightCopy>> WeightCopy::Start(
    std::shared_ptr<const MappedFile> file, uint64_t offset, uint64_t size) {
  const uint64_t file_bytes = file->bytes().size();
  if (offset > file_bytes || size > file_bytes - offset) {
    return absl::InvalidArgumentError(
        absl::StrCat(file->path(), ": has no ", size, " bytes at ", offset));
  }
  if (size > AvailableMemory() / 2) {
    return absl::ResourceExhaustedError("too little memory for a copy of the weights");
  }
  absl::StatusOr<AnonymousMemory> memory = AnonymousMemory::Map(size, "a copy of the weights");
  if (!memory.ok()) return memory.status();
  auto copy =
      std::unique_ptr<WeightCopy>(new WeightCopy(std::move(file), offset, *std::move(memory)));
  try {
    copy->thread_ = std::thread([&worker = *copy] { worker.Work(); });
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(absl::StrCat("cannot start a thread: ", error.what()));
  }
  return copy;
}

WeightCopy::~WeightCopy() {
  {
    const absl::MutexLock lock(&mutex_);
    ended_ = true;
  }
  Wait();
}

void WeightCopy::Pause(bool paused) {
  const absl::MutexLock lock(&mutex_);
  paused_ = paused;
}

void WeightCopy::ReleaseMap() const {
  file_->Advise(offset_, size(), MappedFile::Access::kDontNeed);
}

void WeightCopy::Wait() {
  if (thread_.joinable()) thread_.join();
}

bool WeightCopy::MayGoOn() {
  const auto decided = [this]()
                           ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return ended_ || !paused_; };
  const absl::MutexLock lock(&mutex_, absl::Condition(&decided));
  return !ended_;
}

void WeightCopy::Work() {
  (void)setpriority(PRIO_PROCESS, 0, kNice);  // of this thread alone, on Linux; a wish
  for (uint64_t done = 0; done < size();) {
    if (!MayGoOn()) return;
    const uint64_t bytes = std::min(kSectionBytes, size() - done);
    // Reading goes past the map, so that its pages are neither touched nor looked up.
    if (!file_->Read(offset_ + done, absl::MakeSpan(memory_.data() + done, bytes)).ok()) return;
    done += bytes;
    ready_.store(done, std::memory_order_release);
  }
}

}  // namespace weft
