#include "codegen/matmul_tile.h"

#include "runtime/abi/check.h"

namespace weft::codegen {

std::unique_ptr<MatmulTile> MakeTile(KernelBuilder& k, const MatmulPart& part,
                                     const TileChoice& choice) {
  switch (choice.kind) {
    case TileKind::kFloat:
      return FloatTile(k, part, choice.panels, choice.tokens);
    case TileKind::kInt8:
      return Int8Tile(k, part, choice.panels, choice.tokens);
    case TileKind::kNibble:
      return NibbleTile(k, part, choice.tokens);
    case TileKind::kWidened:
      return WidenedTile(k, part, choice.tokens);
    case TileKind::kAmx:
      return AmxTile(k, part);
  }
  WEFT_CHECK(false);
}

}  // namespace weft::codegen
