// The inner loops of a matmul: sums over all of K for some panels of rows and some tokens, in
// registers. Which tile computes an output changes nothing of its bits: one accumulator per output,
// products (F32) or blocks (Q8_0) added in K order.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "codegen/kernel_builder.h"
#include "codegen/layout.h"
#include "codegen/tile_choice.h"

namespace weft::codegen {

// A run of panels of one weight operand, and the activations that it multiplies.
struct MatmulPart {
  int weight;            // operand
  int input;             // operand
  int64_t first_unit;    // of the step
  int64_t first_column;  // of the result
  int64_t rows;
  int64_t k;
  bool quantized;
};

class MatmulTile {
 public:
  using Value = llvm::Value*;
  using Values = std::vector<llvm::Value*>;

  MatmulTile(KernelBuilder& k, const MatmulPart& part, int panels, int tokens)
      : k_(k), part_(part), panels_(panels), tokens_(tokens) {}
  virtual ~MatmulTile() = default;

  int panels() const { return panels_; }
  int tokens() const { return tokens_; }

  // The columns [first, last) of K that a tile takes at once, `most` at the most. `first` is a
  // multiple of kBlock, and so is `last`, or it is K.
  struct Range {
    Value first;
    Value last;
    int64_t most;
  };

  // Around all other calls of a kernel, where the tile is used.
  virtual void Begin() {}
  virtual void End() {}

  // What PrepareToken makes of a row of activations, in bytes; 0: Sums takes them as they are
  // stored. What PrepareWeights makes of a panel, PreparedPanelBytes tells. Worth it where many
  // tiles share them.
  virtual int64_t prepared_token_bytes(int64_t /*k*/) const { return 0; }
  virtual void PrepareWeights(Value /*packed*/, Value /*prepared*/, const Range& /*range*/) {}
  virtual void PrepareToken(Value /*row*/, Value /*prepared*/, const Range& /*range*/) {}

  // Adds to `sums`, <16 x float> each, all tokens of the first panel first. `weights`: panels()
  // addresses, `inputs`: tokens() addresses, of what is stored or, where there is such a thing, of
  // what is prepared for this range.
  virtual Values Sums(const Values& weights, const Values& inputs, const Range& range,
                      const Values& sums) = 0;

 protected:
  // The range in blocks of Q8_0.
  Value FirstBlock(const Range& range) { return k_.ir().CreateUDiv(range.first, k_.I64(kBlock)); }
  Value EndBlock(const Range& range) {
    return k_.ir().CreateUDiv(k_.ir().CreateAdd(range.last, k_.I64(kBlock - 1)), k_.I64(kBlock));
  }

  KernelBuilder& k_;
  const MatmulPart part_;
  const int panels_;
  const int tokens_;
};

// The tile of that choice.
std::unique_ptr<MatmulTile> MakeTile(KernelBuilder& k, const MatmulPart& part,
                                     const TileChoice& choice);

// The kinds of tiles.
std::unique_ptr<MatmulTile> FloatTile(KernelBuilder& k, const MatmulPart& part, int panels,
                                      int tokens);  // matmul_tile_f32.cc
std::unique_ptr<MatmulTile> Int8Tile(KernelBuilder& k, const MatmulPart& part, int panels,
                                     int tokens);  // matmul_tile_int8.cc
std::unique_ptr<MatmulTile> NibbleTile(KernelBuilder& k, const MatmulPart& part,
                                       int tokens);  // matmul_tile_nibble.cc
std::unique_ptr<MatmulTile> AmxTile(KernelBuilder& k,
                                    const MatmulPart& part);  // matmul_tile_amx.cc
std::unique_ptr<MatmulTile> WidenedTile(KernelBuilder& k, const MatmulPart& part,
                                        int tokens);  // matmul_tile_widened.cc

}  // namespace weft::codegen
