#include "codegen/tile_choice.h"

#include <algorithm>

#include "codegen/layout.h"
#include "runtime/abi/check.h"

namespace weft::codegen {
namespace {

// Sums of 16 rows take one 512-bit register or two of 256 bits. Of 16 registers (AVX2), 6 tokens
// take 12, the weights 2 and an activation 1; of 32 (AVX-512), two panels of 6 tokens take 12 and
// the sums in float, which wait for the end of a block, 12 more.
constexpr int kBlockTokens = 6;

// Panels that stay in the L2 cache while tokens pass by: under half of the smallest L2 caches of
// the CPUs in question (1 MiB), as activations and results pass through it too.
constexpr int64_t kGroupCacheBytes = 384 << 10;
// Of K at once: activations of a tile of 6 tokens in 16 bits take 18 KiB of the L1 cache.
constexpr int64_t kMostK = 1536;

// Tokens whose sums wait for the next columns of K, as many tiles as that makes. A group has at
// most 28 panels then (of 800 columns in Q8_0), and their sums take 420 KiB; 7 panels in F32 take
// 105.
constexpr int64_t kWaitingTokens = 240;

// A block of a panel: 16 F32 scales, then 16 pairs of k, each 16 rows × 2 int16.
constexpr int64_t kWidenedBlock = kPanelRows * 4 + kBlock / 2 * kPanelRows * 4;

TileChoice StreamOfOne(bool quantized) {
  return {1,    quantized ? TileKind::kInt8 : TileKind::kFloat,       1, 1,
          true, "one token: weights pass once, at the rate of memory"};
}

TileChoice Block(const Target& target, bool quantized) {
  const TileKind plain = quantized ? TileKind::kInt8 : TileKind::kFloat;
  if (!quantized || target.tier == Tier::kAvxVnni || target.tier == Tier::kAvx512Vnni) {
    // Of AVX-512 a tile of two panels fills the registers.
    const bool two = target.wide();
    return {kAnyTokens,
            plain,
            two ? 2 : 1,
            kBlockTokens,
            false,
            two ? "sums of 2 panels by 6 tokens fill 32 registers"
                : "sums of 6 tokens take 12 of 16 registers"};
  }
  if (target.tier == Tier::kAmxInt8) {
    return {kAnyTokens, TileKind::kAmx, 1,
            kAmxTokens, false,          "tiles of 16 rows by 16 tokens multiply fastest"};
  }
  return {kAnyTokens, TileKind::kWidened,
          1,          kBlockTokens,
          false,      "many tokens share weights that are widened to 16 bits once"};
}

}  // namespace

absl::string_view Name(TileKind kind) {
  switch (kind) {
    case TileKind::kFloat:
      return "float";
    case TileKind::kInt8:
      return "int8";
    case TileKind::kNibble:
      return "nibble";
    case TileKind::kWidened:
      return "widened";
    case TileKind::kAmx:
      return "amx";
  }
  WEFT_CHECK(false);
}

std::vector<TileChoice> TileChoices(const Target& target, bool quantized) {
  const TileKind plain = quantized ? TileKind::kInt8 : TileKind::kFloat;
  std::vector<TileChoice> tiles = {StreamOfOne(quantized)};
  switch (target.tier) {
    case Tier::kAvx2:
      // 4 tokens' sums take 8 of 16 registers; 8 tokens are two tiles over a panel in the cache.
      if (quantized) {
        tiles.push_back({32, TileKind::kNibble, 1, 4, true,
                         "widening a panel takes as long as some 20 tokens gain by it"});
      } else {
        tiles.push_back({8, plain, 1, 4, true, "sums of 4 tokens take 8 of 16 registers"});
      }
      break;
    case Tier::kAvxVnni:
      tiles.push_back({8, plain, 1, 4, true, "sums of 4 tokens take 8 of 16 registers"});
      break;
    case Tier::kAvx512Vnni:
    case Tier::kAmxInt8:
      tiles.push_back({4, plain, 1, 4, true, "few tokens, one panel from memory for all"});
      tiles.push_back({8, plain, 1, 8, true, "few tokens, one panel from memory for all"});
      break;
  }
  tiles.push_back(Block(target, quantized));
  return tiles;
}

int64_t PreparedPanelBytes(TileKind kind, int64_t k) {
  return kind == TileKind::kWidened ? Blocks(k) * kWidenedBlock : 0;
}

BlockCut CutForCaches(const TileChoice& tile, int64_t rows, int64_t k, bool quantized,
                      int unit_panels) {
  BlockCut cut;
  const int64_t ranges = CeilDiv(k, kMostK);
  cut.most_k = ranges == 1 ? k : CeilDiv(CeilDiv(k, ranges), kBlock) * kBlock;
  const DataType format = quantized ? DataType::kQ8_0 : DataType::kF32;
  const int64_t bytes =
      std::max(PreparedPanelBytes(tile.kind, cut.most_k), PanelBytes(format, cut.most_k));
  cut.step_panels = std::max(tile.panels, unit_panels);
  const int64_t most = std::min(Panels(rows), std::max<int64_t>(1, kGroupCacheBytes / bytes));
  cut.group_panels = CeilDiv(most, cut.step_panels) * cut.step_panels;
  cut.waiting_tiles = ranges == 1 ? 1 : kWaitingTokens / tile.tokens;
  return cut;
}

}  // namespace weft::codegen
