#include "runtime/anonymous_memory.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "runtime/base/memory_room.h"
#include "runtime/base/posix_error.h"

namespace weft {
namespace {

constexpr uint64_t kHugePage = uint64_t{2} << 20;

absl::Status NoMemory(uint64_t bytes, absl::string_view purpose, uint64_t available) {
  return absl::ResourceExhaustedError(absl::StrCat("no memory for ", purpose, ": it takes ",
                                                   Megabytes(bytes), ", this machine has ",
                                                   Megabytes(available)));
}

}  // namespace

absl::StatusOr<AnonymousMemory> AnonymousMemory::Map(uint64_t bytes, absl::string_view purpose,
                                                     Pages pages) {
  if (bytes == 0) return AnonymousMemory();
  const uint64_t physical =
      static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  if (bytes > physical) return NoMemory(bytes, purpose, physical);
  // mmap aligns to 4 KiB pages only: ask for more and give back what stands over.
  const uint64_t slack = bytes >= kHugePage ? kHugePage : 0;
  void* const mapped = mmap(nullptr, bytes + slack, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED)
    return PosixError(errno, absl::StrCat("no memory for ", purpose), "map it");
  auto* data = static_cast<uint8_t*>(mapped);
  if (slack > 0) {
    const uint64_t before = (kHugePage - reinterpret_cast<uintptr_t>(data) % kHugePage) % kHugePage;
    if (before > 0) munmap(data, before);
    data += before;
    const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
    const uint64_t used = (bytes + page - 1) / page * page;
    const uint64_t mapped_end = (bytes + slack + page - 1) / page * page - before;
    if (mapped_end > used) munmap(data + used, mapped_end - used);
  }
  AnonymousMemory memory(data, bytes);
  memory.Advise(pages == Pages::kHuge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  return memory;
}

void AnonymousMemory::UseHugePages() {
  constexpr int kMadvCollapse = 25;  // MADV_COLLAPSE, Linux 6.1; Debian 12's headers lack it
  Advise(MADV_HUGEPAGE);
  Advise(kMadvCollapse);
}

void AnonymousMemory::UseSmallPages() { Advise(MADV_NOHUGEPAGE); }

uint64_t AnonymousMemory::Touched(uint64_t page) const {
  constexpr uint64_t kPage = 4096;
  constexpr uint64_t kPagesAtOnce = 4096;         // which are whole pages of any size
  std::array<unsigned char, kPagesAtOnce> pages;  // mincore(2): the lowest bit of each
  const auto each = static_cast<std::ptrdiff_t>(page / kPage);
  uint64_t touched = 0;
  for (uint64_t at = 0; at < size_; at += kPage * kPagesAtOnce) {
    const uint64_t bytes = std::min(size_ - at, kPage * kPagesAtOnce);
    if (mincore(data_ + at, bytes, pages.data()) != 0) return 0;
    const auto* const end = pages.data() + (bytes + kPage - 1) / kPage;
    const unsigned char* next = pages.data();
    while (next < end) {
      const auto* const begin = std::exchange(next, next + std::min(each, end - next));
      if (std::any_of(begin, next, [](unsigned char byte) { return (byte & 1) != 0; }))
        touched += page;
    }
  }
  return std::min(size_, touched);
}

void AnonymousMemory::Advise(int advice) {
  if (size_ >= kHugePage) (void)madvise(data_, size_, advice);  // hints: some systems have none
}

AnonymousMemory::~AnonymousMemory() {
  if (data_ != nullptr) munmap(data_, size_);
}

// Linux does the whole of mremap(), the unmapping at `address` included, under the lock that the
// page faults of other threads wait for; and it counts the maps that it may need before it unmaps
// anything.
absl::Status AnonymousMemory::MoveTo(uint8_t* address) && {
  if (mprotect(data_, size_, PROT_READ) != 0 ||
      mremap(data_, size_, size_, MREMAP_MAYMOVE | MREMAP_FIXED, address) == MAP_FAILED)
    return PosixError(errno, "anonymous memory", "move");
  data_ = nullptr;
  size_ = 0;
  return absl::OkStatus();
}

AnonymousMemory::AnonymousMemory(AnonymousMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

AnonymousMemory& AnonymousMemory::operator=(AnonymousMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

}  // namespace weft
