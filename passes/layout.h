// Sizes of values in memory, as docs/architecture.md lists them. All are multiples of 64 where they
// stand in the arena or the cache; errors are sizes that no machine holds.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ir/module.h"
#include "passes/options.h"

namespace weft::passes {

// A cache line, and the widest vector register: no two values share either.
inline constexpr int64_t kAlignment = 64;
// Rows of a panel: the F32 lanes of the widest vector register.
inline constexpr int64_t kPanelRows = 16;
// 16 F16 scales, then 16 rows of 32 int8.
inline constexpr int64_t kQ8PanelBlockBytes = 16 * 2 + 16 * 32;
// Positions that attention takes at once: the cache holds whole chunks of them.
inline constexpr int64_t kChunkPositions = 64;
// Positions whose mixture is one partial result of attention, and the most tokens of a step that
// leaves such results to be merged.
inline constexpr int64_t kSpanPositions = 128;
inline constexpr int64_t kSplitTokens = 8;
// Below this, sums of two sizes and rounding up cannot overflow.
inline constexpr int64_t kMaxBytes = int64_t{1} << 56;

constexpr int64_t DivideUp(int64_t value, int64_t by) { return value / by + (value % by != 0); }
constexpr int64_t RoundUp(int64_t value, int64_t to) { return DivideUp(value, to) * to; }

// At most kMaxBytes; factors are not negative.
absl::StatusOr<int64_t> Product(std::initializer_list<int64_t> factors);

// Of a pack's type or a rope_table's.
absl::StatusOr<int64_t> PackedBytes(const ir::Type& type);
absl::StatusOr<int64_t> PanelBytes(const ir::Type& type);
int64_t Panels(const ir::Type& type);

// Bytes from row to row of f32 [R, n] and q8a [R, n].
absl::StatusOr<int64_t> RowStride(const ir::Type& type);
// T or L at its maximum; other dims as they are.
int64_t MaxRows(const ir::Type& type, const PassOptions& options);
// Bytes that attention over slices needs beside its result, for the partial results of steps of few
// tokens: a mixture, rounded up to whole vectors, and a vector of scalars for each token, span of
// the context and head.
absl::StatusOr<int64_t> WorkspaceBytes(const ir::Node& attention, int64_t context);
// Bytes that one layer's cache [S, 2, heads, head_dim] needs.
absl::StatusOr<int64_t> KvBytes(const ir::Type& type, int64_t context);

// The context that the options ask for, or else all positions that the graph's tables hold; more
// than that is an error.
absl::StatusOr<int64_t> ResolveContext(const ir::Module& module, const PassOptions& options);

// Whether an embed's ids are the positions.
bool IsPositionTable(const ir::Module& module, const ir::Node& embed);
// Whether the node does work at each run.
bool IsStep(const ir::Node& node);

}  // namespace weft::passes
