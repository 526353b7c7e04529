// Which inner loop of a matmul takes a step of so many tokens, and how the work is cut for caches.
// Decided here, without emitting anything, so that it can be shown.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "absl/strings/string_view.h"
#include "codegen/target.h"

namespace weft::codegen {

enum class TileKind : uint8_t { kFloat, kInt8, kNibble, kWidened, kAmx };

// "float", "int8", …
absl::string_view Name(TileKind kind);

struct TileChoice {
  int64_t most_tokens;  // that a step has, for this tile
  TileKind kind;
  int panels;  // of 16 rows at once
  int tokens;  // at once
  // Streams the weights front to back, panel by panel, as few tokens do; else they go block by
  // block, so that panels and activations come from caches.
  bool streams;
  absl::string_view why;
};

// Rows of a tile register of AMX.
inline constexpr int kAmxTokens = 16;
inline constexpr int64_t kAnyTokens = std::numeric_limits<int64_t>::max();

// In ascending order of tokens; the last is for any number, and the only one that does not stream.
// Which tile computes an output changes nothing of its bits.
std::vector<TileChoice> TileChoices(const Target& target, bool quantized);

// What the tile makes of `k` columns of a panel before it multiplies, in bytes; 0: it takes them as
// they are stored.
int64_t PreparedPanelBytes(TileKind kind, int64_t k);

// A step is what epilogue and tile take at once; a group is whole steps that stay in the L2 cache
// while tokens pass by.
struct BlockCut {
  int64_t step_panels;
  int64_t group_panels;
  int64_t most_k;  // columns at once; K where they are taken in one go
  // Tiles of tokens whose sums wait for the next columns; 1 where K is taken in one go.
  int64_t waiting_tiles;
};

// Of weights [rows, k], where a unit of the step has `unit_panels`.
BlockCut CutForCaches(const TileChoice& tile, int64_t rows, int64_t k, bool quantized,
                      int unit_panels);

}  // namespace weft::codegen
