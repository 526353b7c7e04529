#include "runtime/base/memory_room.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <vector>

#include "runtime/base/cgroup.h"

namespace weft {
namespace {

constexpr uint64_t kUnknown = std::numeric_limits<uint64_t>::max();
// Limits of v1 that nobody set are the largest number of pages.
constexpr int64_t kNoLimit = int64_t{1} << 62;

// The sum, or kUnknown where it does not fit.
uint64_t Plus(uint64_t a, uint64_t b) { return a > kUnknown - b ? kUnknown : a + b; }

uint64_t OrZero(std::optional<int64_t> number) {
  return static_cast<uint64_t>(std::max<int64_t>(number.value_or(0), 0));
}

struct Swap {
  uint64_t total = 0;
  uint64_t free = 0;
};

// Sets `swap` to what there is, where it counts.
MemoryRoom OfMachine(const std::string& system_root, bool with_swap, Swap* swap) {
  MemoryRoom room;
  const std::optional<std::string> text =
      ReadKernelFile(absl::StrCat(system_root, "/proc/meminfo"));
  if (!text.has_value()) return room;
  const auto bytes = [&text](absl::string_view name) -> std::optional<uint64_t> {
    const std::optional<int64_t> kilobytes = FindKernelNumber(*text, name);
    if (!kilobytes.has_value()) return std::nullopt;
    return OrZero(kilobytes) * 1024;
  };
  if (with_swap) *swap = {bytes("SwapTotal").value_or(0), bytes("SwapFree").value_or(0)};
  const std::optional<uint64_t> available = bytes("MemAvailable");
  const std::optional<uint64_t> total = bytes("MemTotal");
  if (!available.has_value() || !total.has_value()) return room;
  room.available = *available + swap->free;
  room.limit = *total + swap->total;
  room.locked = bytes("Mlocked").value_or(0);
  return room;
}

// What a control group's processes use and cannot be dropped, and what of it can go to swap.
std::optional<MemoryRoom> OfGroup(const CgroupLevel& level, const Swap& swap) {
  const auto number = [&level](const char* name) {
    return ReadKernelNumber(absl::StrCat(level.folder, "/", name));
  };
  const std::optional<int64_t> limit = number(level.v2 ? "memory.max" : "memory.limit_in_bytes");
  if (!limit.has_value() || *limit >= kNoLimit) return std::nullopt;
  const uint64_t used = OrZero(number(level.v2 ? "memory.current" : "memory.usage_in_bytes"));
  const std::string stat = ReadKernelFile(absl::StrCat(level.folder, "/memory.stat")).value_or("");
  // Pages of files; those of tmpfs and locked ones are counted elsewhere.
  const auto file = [&](const char* name) {
    return OrZero(FindKernelNumber(stat, absl::StrCat(level.v2 ? "" : "total_", name)));
  };
  const uint64_t droppable = file("inactive_file") + file("active_file");
  uint64_t swappable = swap.free;
  uint64_t swap_limit = swap.total;
  if (level.v2) {
    if (const std::optional<int64_t> most = number("memory.swap.max"); most.has_value()) {
      swap_limit = std::min(swap_limit, OrZero(most));
      const uint64_t swapped = OrZero(number("memory.swap.current"));
      swappable = std::min(swappable, OrZero(most) - std::min(OrZero(most), swapped));
    }
  } else if (const std::optional<int64_t> both = number("memory.memsw.limit_in_bytes");
             both.has_value() && *both < kNoLimit) {
    const uint64_t more = OrZero(both) - std::min(OrZero(both), OrZero(limit));
    swap_limit = std::min(swap_limit, more);
    swappable = std::min(swappable, more);
  }
  const uint64_t free = Plus(OrZero(limit), droppable) - std::min(used, OrZero(limit) + droppable);
  MemoryRoom room;
  room.limit = Plus(OrZero(limit), swap_limit);
  room.available = Plus(std::min(free, OrZero(limit)), swappable);
  room.locked = file("unevictable");
  room.owner = absl::StrCat("the control group ", level.folder);
  return room;
}

std::vector<MemoryRoom> Rooms(const std::string& system_root, bool with_swap = true) {
  Swap swap;
  std::vector<MemoryRoom> rooms = {OfMachine(system_root, with_swap, &swap)};
  for (const CgroupLevel& level : CgroupLevels("memory", system_root)) {
    if (std::optional<MemoryRoom> room = OfGroup(level, swap); room.has_value())
      rooms.push_back(*std::move(room));
  }
  return rooms;
}

MemoryRoom Least(const std::vector<MemoryRoom>& rooms, uint64_t MemoryRoom::* of) {
  return *std::ranges::min_element(rooms, {}, of);
}

absl::Status NoRoom(uint64_t bytes, const MemoryRoom& room, absl::string_view purpose,
                    absl::string_view advice) {
  return absl::ResourceExhaustedError(
      absl::StrCat("no memory for ", purpose, ": it takes ", Megabytes(bytes), ", and ",
                   Megabytes(room.available), " of the ", Megabytes(room.limit), " of ", room.owner,
                   " are available (", advice, ")"));
}

}  // namespace

std::string Megabytes(uint64_t bytes) {
  constexpr double kMegabyte = 1e6;
  char text[32];  // of 2^64, 17 digits, and the unit
  std::snprintf(text, sizeof(text), "%.1f MB", static_cast<double>(bytes) / kMegabyte);
  return text;
}

MemoryRoom FindMemoryRoom(const std::string& system_root) {
  return Least(Rooms(system_root), &MemoryRoom::available);
}

MemoryRoom FindMemoryLimit(const std::string& system_root) {
  return Least(Rooms(system_root), &MemoryRoom::limit);
}

absl::Status CheckMemoryRoom(uint64_t bytes, absl::string_view purpose, absl::string_view advice,
                             const std::string& system_root) {
  const MemoryRoom room = FindMemoryRoom(system_root);
  return bytes <= room.available ? absl::OkStatus() : NoRoom(bytes, room, purpose, advice);
}

absl::Status CheckRoomToLock(uint64_t bytes, absl::string_view purpose, absl::string_view advice,
                             const std::string& system_root) {
  for (const MemoryRoom& room : Rooms(system_root, /*with_swap=*/false)) {
    if (bytes > Plus(room.available, room.locked)) return NoRoom(bytes, room, purpose, advice);
  }
  return absl::OkStatus();
}

absl::Status CheckMemoryLimit(uint64_t bytes, absl::string_view purpose, absl::string_view advice,
                              const std::string& system_root) {
  const MemoryRoom room = FindMemoryLimit(system_root);
  if (bytes <= room.limit) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("no memory for ", purpose, ": it takes ",
                                                   Megabytes(bytes), ", and ", room.owner, " has ",
                                                   Megabytes(room.limit), " (", advice, ")"));
}

}  // namespace weft
