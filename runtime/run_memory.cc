#include "runtime/run_memory.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <set>
#include <utility>

#include "runtime/base/memory_room.h"
#include "runtime/byte_ranges.h"
#include "runtime/plan/validate_program.h"

namespace weft {
namespace {

constexpr char kLessMemory[] =
    "compiled with fewer tokens at once, -b, a smaller context, -c, or --kv q8_0 it takes less; or "
    "raise the limit";
constexpr uint64_t kSmallPage = uint64_t{4} << 10;
constexpr uint64_t kHugePage = uint64_t{2} << 20;

uint64_t Unsigned(int64_t number) { return static_cast<uint64_t>(number); }

}  // namespace

// What is divided into rows is told by the caller's ports and by steps that work by rows. What only
// matmuls and the like pass on has a row for each token: the few rows that have logits are known by
// then. Of the rest, as of attention's workspace, all may be touched.
ArenaUse::ArenaUse(const Program& program) : arena_bytes_(program.arena_bytes) {
  std::set<Rows> values;
  std::set<std::pair<uint64_t, uint64_t>> known;  // offset and bytes
  const auto add = [&](const OperandRef& operand, uint64_t stride, uint64_t width, Extent extent) {
    const auto rows = Unsigned(RowsOf(extent, program.max_tokens, program.max_logit_rows));
    values.insert({operand.offset, stride, width, extent});
    known.insert({operand.offset, rows * stride});
    known.insert({operand.offset, operand.bytes});
  };
  const auto for_each_operand = [&](auto add_operand) {
    for (const Step& step : program.steps) {
      for (const OperandRef& operand : step.operands) {
        if (operand.space == Space::kArena && operand.bytes > 0) add_operand(step, operand);
      }
    }
  };
  for (const OperandRef& port : {program.tokens, program.positions})
    add(port, sizeof(int32_t), sizeof(int32_t), Extent::kTokens);
  add(program.logits, program.logits_stride, Unsigned(program.vocab) * sizeof(float),
      Extent::kLogitRows);
  for_each_operand([&](const Step& step, const OperandRef& operand) {
    if (operand.stride != 0) add(operand, operand.stride, RowWidth(operand), step.extent);
  });
  for_each_operand([&](const Step& step, const OperandRef& operand) {
    const uint64_t row = operand.bytes / Unsigned(program.max_tokens);
    if (operand.stride == 0 && step.extent == Extent::kOne &&
        operand.bytes % Unsigned(program.max_tokens) == 0 &&
        !known.contains({operand.offset, operand.bytes}))
      add(operand, row, row, Extent::kTokens);
  });
  for_each_operand([&](const Step&, const OperandRef& operand) {
    if (operand.stride == 0 && !known.contains({operand.offset, operand.bytes}))
      add(operand, operand.bytes, operand.bytes, Extent::kOne);
  });
  values_.assign(values.begin(), values.end());
}

uint64_t ArenaUse::Bytes(int64_t tokens, int64_t logit_rows, uint64_t page) const {
  ByteRanges pages;
  for (const Rows& value : values_) {
    const uint64_t before = Unsigned(RowsOf(value.extent, tokens, logit_rows)) - 1;
    const uint64_t end = value.offset + before * value.stride + value.width;
    pages.Add({value.offset / page * page, std::min(arena_bytes_, (end + page - 1) / page * page)});
  }
  uint64_t bytes = 0;
  for (const ByteRange& range : pages.Ranges()) bytes += range.end - range.begin;
  return bytes;
}

RunMemory::RunMemory(const Program& program, std::string system_root)
    : system_root_(std::move(system_root)),
      use_(program),
      context_(program.context),
      weight_bytes_(program.weight_bytes) {
  // Page tables, stacks and text grow meanwhile, and who samples keeps a few numbers of each logit.
  constexpr uint64_t kAnyway = uint64_t{4} << 20;
  constexpr uint64_t kOfLogit = 16;
  others_ = kAnyway + kOfLogit * Unsigned(program.vocab);
}

absl::StatusOr<RunMemory> RunMemory::Map(const Program& program, std::string system_root) {
  RunMemory memory(program, std::move(system_root));
  const std::string cache =
      absl::StrCat("the KV cache of a context of ", program.context, " tokens");
  if (absl::Status status = CheckMemoryLimit(program.arena_bytes + program.kv_bytes,
                                             absl::StrCat("activations and ", cache), kLessMemory,
                                             memory.system_root_);
      !status.ok())
    return status;
  absl::StatusOr<AnonymousMemory> arena = AnonymousMemory::Map(
      program.arena_bytes, "activations (a smaller maximum of tokens per run needs less)");
  if (!arena.ok()) return arena.status();
  memory.arena_ = *std::move(arena);
  absl::StatusOr<AnonymousMemory> kv =
      AnonymousMemory::Map(program.kv_bytes, cache, AnonymousMemory::Pages::kSmallAtFirst);
  if (!kv.ok()) return kv.status();
  memory.kv_ = *std::move(kv);
  return memory;
}

// In pages of 4 KiB. Each layer and head has its keys and values of the whole context side by side,
// in blocks of 64 positions (docs/architecture.md); their last pages reach a little further.
uint64_t RunMemory::CacheBytes(int64_t positions) const {
  constexpr int64_t kBlock = 64;
  constexpr int64_t kFurther = 16;
  const int64_t reached = (positions + kFurther + kBlock - 1) / kBlock * kBlock;
  return reached >= context_ ? kv_.size() : kv_.size() / Unsigned(context_) * Unsigned(reached);
}

absl::Status RunMemory::FindRoom(const KernelContext& run) {
  const int64_t positions = std::max(positions_, run.position + run.tokens);
  uint64_t arena = arena_touched_;
  if (run.tokens > tokens_ || run.logit_rows > logit_rows_) {
    arena = use_.Bytes(std::max(tokens_, run.tokens), std::max(logit_rows_, run.logit_rows),
                       kSmallPage);
  }
  const uint64_t cache = CacheBytes(positions);
  if (tokens_ == 0 || arena + cache > room_) {
    if (absl::Status status = Ask(positions, arena, cache); !status.ok()) return status;
  }
  tokens_ = std::max(tokens_, run.tokens);
  logit_rows_ = std::max(logit_rows_, run.logit_rows);
  positions_ = positions;
  arena_touched_ = arena;
  kv_touched_ = cache;
  SizeCachePages(positions);
  return absl::OkStatus();
}

absl::Status RunMemory::Ask(int64_t positions, uint64_t arena_bytes, uint64_t cache_bytes) {
  const uint64_t available = FindMemoryRoom(system_root_).available;
  const bool first = tokens_ == 0;
  const uint64_t arena_grows = arena_bytes - arena_touched_;
  const uint64_t cache_grows = cache_bytes - kv_touched_;
  if (first) {
    // Large pages are not to take what the cache needs later, but for very little.
    constexpr uint64_t kLittlePart = 32;
    arena_huge_ = arena_.size() + kv_.size() + others_ <= available ||
                  arena_.size() <= available / kLittlePart;
    if (!arena_huge_) arena_.UseSmallPages();
  }
  // Of large pages all that is not in memory yet may be touched.
  uint64_t more = (arena_huge_ ? arena_.Untouched() : arena_grows) +
                  (kv_huge_ ? kv_.Untouched() : cache_grows) + others_;
  if (more > available) {
    arena_.UseSmallPages();
    kv_.UseSmallPages();
    arena_huge_ = false;
    kv_huge_ = false;
    kv_decided_ = true;
    more = arena_grows + cache_grows + others_;
    // What lies in large pages has been there for longer than it was asked for.
    if (!first && more > available) {
      more = std::min(arena_grows, arena_.Untouched()) + std::min(cache_grows, kv_.Untouched()) +
             others_;
    }
    if (more > available) {
      return CheckMemoryRoom(more,
                             absl::StrCat("activations and a KV cache ",
                                          first ? "of " : "that grow to ", positions, " tokens"),
                             kLessMemory, system_root_);
    }
  }
  // Asked again when half of what is left may be gone, or little was added.
  constexpr uint64_t kLittle = uint64_t{16} << 20;
  room_ = arena_bytes + cache_bytes + std::min(kLittle, (available - more) / 2);
  return absl::OkStatus();
}

// The first token touches all of the cache's 2 MiB pages; to zero them takes longer than to compute
// it. They pay once attention reads more than the TLB reaches: 2048 pages of 4 KiB. Each in which
// something was touched comes to be in memory as a whole. That is little beside the weights of most
// models; where it is more, they wait until it is not many times what is touched.
void RunMemory::SizeCachePages(int64_t positions) {
  constexpr uint64_t kTimesTouched = 8;
  const uint64_t touched = kv_.size() / Unsigned(context_) * Unsigned(positions);
  if (kv_decided_ || touched <= size_pages_beyond_) return;
  // Before the first run nobody knows in which.
  const uint64_t in_them = kv_.Touched(kHugePage);
  if ((in_them > 0 ? in_them : kv_.size()) > std::max(weight_bytes_, kTimesTouched * touched)) {
    size_pages_beyond_ = 2 * touched;
    return;
  }
  kv_decided_ = true;
  // A page is held twice while it becomes a large one.
  const uint64_t more = arena_.Untouched() + kv_.Untouched() + kHugePage + others_;
  if (more > FindMemoryRoom(system_root_).available) return;
  kv_.UseHugePages();
  kv_huge_ = true;
}

}  // namespace weft
