#include "runtime/base/truncation_guard.h"

#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <utility>

namespace weft {
namespace {

constexpr uintptr_t kPage = 4096;

// Known to the signal handler, which can neither lock nor allocate. Free slots have no bytes.
struct Slot {
  std::atomic<bool> taken = false;
  std::atomic<bool> broken = false;
  std::atomic<uintptr_t> begin = 0;
  std::atomic<uintptr_t> end = 0;
};
static_assert(std::atomic<uintptr_t>::is_always_lock_free);

// A plan takes two and one per side file. Ranges beyond are not guarded.
std::array<Slot, 1024> slots;
std::atomic<bool> installed = false;
struct sigaction previous;  // written before the handler can run

bool PutZeros(uint8_t* fault) {
  const auto address = reinterpret_cast<uintptr_t>(fault);
  for (Slot& slot : slots) {
    const uintptr_t end = slot.end.load(std::memory_order_acquire);
    if (address >= end || address < slot.begin.load(std::memory_order_relaxed)) continue;
    slot.broken.store(true, std::memory_order_release);
    // To the end: all of that is missing too, and a fault per page would take long.
    const uintptr_t into_page = address % kPage;
    return mmap(fault - into_page, end - (address - into_page), PROT_READ,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != MAP_FAILED;
  }
  return false;
}

void OnSigbus(int signal, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  const bool handled =
      info->si_code == BUS_ADRERR && PutZeros(static_cast<uint8_t*>(info->si_addr));
  errno = saved_errno;
  if (handled) return;
  if ((previous.sa_flags & SA_SIGINFO) != 0) {
    previous.sa_sigaction(signal, info, context);
    return;
  }
  const bool sent = info->si_code <= 0;  // by a process, not by a touch of memory
  if (previous.sa_handler == SIG_IGN && sent) return;
  if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(signal);
    return;
  }
  // The touch is tried again, and then ends the process as it would have done.
  (void)std::signal(signal, SIG_DFL);
  if (sent) (void)raise(signal);
}

}  // namespace

bool GuardTruncatedFiles() {
  static const bool done = [] {
    if (sigaction(SIGBUS, nullptr, &previous) != 0) return false;
    struct sigaction action = {};
    action.sa_sigaction = OnSigbus;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    action.sa_mask = previous.sa_mask;
    if (sigaction(SIGBUS, &action, nullptr) != 0) return false;
    installed.store(true);
    return true;
  }();
  return done;
}

GuardedRange::GuardedRange(const uint8_t* begin, uint64_t size) {
  if (size == 0 || !installed.load()) return;
  for (size_t i = 0; i < slots.size(); ++i) {
    Slot& slot = slots[i];
    if (slot.taken.exchange(true)) continue;
    slot_ = static_cast<int>(i);
    const auto address = reinterpret_cast<uintptr_t>(begin);
    slot.broken.store(false, std::memory_order_relaxed);
    slot.begin.store(address, std::memory_order_relaxed);
    slot.end.store((address + size + kPage - 1) / kPage * kPage, std::memory_order_release);
    return;
  }
}

GuardedRange::~GuardedRange() {
  if (slot_ < 0) return;
  Slot& slot = slots[static_cast<size_t>(slot_)];
  slot.end.store(0);
  slot.taken.store(false);
}

GuardedRange::GuardedRange(GuardedRange&& other) noexcept : slot_(std::exchange(other.slot_, -1)) {}

GuardedRange& GuardedRange::operator=(GuardedRange&& other) noexcept {
  std::swap(slot_, other.slot_);
  return *this;
}

bool GuardedRange::broken() const {
  return slot_ >= 0 && slots[static_cast<size_t>(slot_)].broken.load(std::memory_order_acquire);
}

}  // namespace weft
