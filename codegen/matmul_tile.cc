#include "codegen/matmul_tile.h"

#include "runtime/abi/check.h"

namespace weft::codegen {
namespace {

// Sums of 16 rows take one 512-bit register or two of 256 bits. Of 16 registers (AVX2), 6 tokens
// take 12, the weights 2 and an activation 1; of 32 (AVX-512), two panels of 6 tokens take 12 and
// the sums in float, which wait for the end of a block, 12 more.
constexpr int kBlockTokens = 6;

}  // namespace

std::vector<StreamTile> StreamTiles(KernelBuilder& k, const MatmulPart& part) {
  const auto tile = [&](int tokens) {
    return part.quantized ? Int8Tile(k, part, 1, tokens) : FloatTile(k, part, 1, tokens);
  };
  std::vector<StreamTile> tiles;
  tiles.push_back({1, tile(1)});
  switch (k.target().tier) {
    case Tier::kAvx2:
      // 4 tokens' sums take 8 of 16 registers; 8 tokens are two tiles over a panel in the cache.
      // Widening a panel takes as long as 20 tokens or so gain by it.
      tiles.push_back(part.quantized ? StreamTile{32, NibbleTile(k, part, 4)}
                                     : StreamTile{8, tile(4)});
      return tiles;
    case Tier::kAvxVnni:
      tiles.push_back({8, tile(4)});
      return tiles;
    case Tier::kAvx512Vnni:
    case Tier::kAmxInt8:
      tiles.push_back({4, tile(4)});
      tiles.push_back({8, tile(8)});
      return tiles;
  }
  WEFT_CHECK(false);
}

std::unique_ptr<MatmulTile> BlockTile(KernelBuilder& k, const MatmulPart& part) {
  if (!part.quantized) return FloatTile(k, part, k.target().wide() ? 2 : 1, kBlockTokens);
  switch (k.target().tier) {
    case Tier::kAvx2:
      return WidenedTile(k, part, kBlockTokens);
    case Tier::kAvxVnni:
      return Int8Tile(k, part, 1, kBlockTokens);
    case Tier::kAvx512Vnni:
      return Int8Tile(k, part, 2, kBlockTokens);
    case Tier::kAmxInt8:
      return AmxTile(k, part);
  }
  WEFT_CHECK(false);
}

}  // namespace weft::codegen
