// The memory of a program's runs: activations and the KV cache, taken only where there is some.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/abi/program.h"
#include "runtime/anonymous_memory.h"

namespace weft {

// What runs of a program touch of its arena. Rows are counted from the first, and pages of 2 MiB
// are touched whole.
class ArenaUse {
 public:
  explicit ArenaUse(const Program& program);
  // Bytes of the pages of `page` bytes that a run of so many tokens and rows of logits touches; at
  // most those of the arena.
  uint64_t Bytes(int64_t tokens, int64_t logit_rows, uint64_t page) const;

 private:
  // Row r is [offset + r · stride, + width).
  struct Rows {
    uint64_t offset;
    uint64_t stride;
    uint64_t width;
    Extent extent;
    auto operator<=>(const Rows&) const = default;
  };
  uint64_t arena_bytes_;
  std::vector<Rows> values_;
};

// Owns the arena and the KV cache of one executor, both zero at first. Where memory is plenty, both
// come to lie in pages of 2 MiB; where it is not, a run gets what it touches in pages of 4 KiB, or
// is refused.
class RunMemory {
 public:
  // Errors: more than the machine or the control group has in all. `system_root` as of
  // FindMemoryRoom.
  static absl::StatusOr<RunMemory> Map(const Program& program, std::string system_root = "");

  uint8_t* arena() const { return arena_.data(); }
  uint8_t* kv() const { return kv_.data(); }

  // Before a run: ResourceExhausted where the memory that it touches anew is not available, rather
  // than that the kernel ends the process. Asks the system for what is available now and then only.
  absl::Status FindRoom(const KernelContext& run);

 private:
  RunMemory(const Program& program, std::string system_root);
  uint64_t CacheBytes(int64_t positions) const;
  absl::Status Ask(int64_t positions, uint64_t arena_bytes, uint64_t cache_bytes);
  void SizeCachePages(int64_t positions);

  std::string system_root_;
  ArenaUse use_;
  AnonymousMemory arena_;
  AnonymousMemory kv_;
  int64_t context_;
  uint64_t weight_bytes_;
  uint64_t others_;          // bytes that others take meanwhile
  bool arena_huge_ = true;   // whether what it touches next may be in pages of 2 MiB
  bool kv_huge_ = false;     // likewise
  bool kv_decided_ = false;  // whether the cache's pages are those that it keeps
  // What must be touched of the cache before that is decided (again): what the TLB reaches.
  uint64_t size_pages_beyond_ = uint64_t{8} << 20;
  // The most of the runs so far, and what they touched in pages of 4 KiB.
  int64_t tokens_ = 0;
  int64_t logit_rows_ = 0;
  int64_t positions_ = 0;
  uint64_t arena_touched_ = 0;
  uint64_t kv_touched_ = 0;
  uint64_t room_ = 0;  // bytes of both for which the system need not be asked
};

}  // namespace weft
