// Q8_0 weights as they are packed, by the dot product of the tier.
#include "codegen/int8_dot.h"
#include "codegen/layout.h"
#include "codegen/matmul_tile.h"

namespace weft::codegen {
namespace {

class Tile final : public MatmulTile {
 public:
  Tile(KernelBuilder& k, const MatmulPart& part, int panels, int tokens)
      : MatmulTile(k, part, panels, tokens), dot_(Int8Dot::For(k.target())) {}

  Values Sums(const Values& weights, const Values& inputs, const Range& range,
              const Values& sums) override {
    return k_.Loop(FirstBlock(range), EndBlock(range), 1, sums,
                   [&](Value block, const Values& carried) {
                     Values panel_blocks;
                     for (Value panel : weights)
                       panel_blocks.push_back(k_.Element(panel, block, kPanelBlockBytes));
                     Values token_blocks;
                     for (Value input : inputs)
                       token_blocks.push_back(k_.Element(input, block, kBlock));
                     return Scaled(Dots(block, panel_blocks, token_blocks, inputs), block,
                                   panel_blocks, inputs, carried);
                   });
  }

 private:
  // The block's products of int8, exact.
  Values Dots(Value block, const Values& panel_blocks, const Values& token_blocks,
              const Values& inputs) {
    Values starts;
    for (int token = 0; token < tokens(); ++token) {
      Value sum = k_.Element(k_.Offset(inputs[token], ActivationSums(part_.k)), block, 4);
      starts.push_back(dot_->Start(k_, k_.LoadI32(sum)));
    }
    Values dots;
    for (int panel = 0; panel < panels(); ++panel)
      dots.insert(dots.end(), starts.begin(), starts.end());
    const auto group = [&](Value at, const Values& carried) {
      Values next(carried.size());
      for (int panel = 0; panel < panels(); ++panel) {
        auto* bytes = llvm::FixedVectorType::get(k_.ir().getInt8Ty(), kGroupBytes);
        Value place = k_.Element(k_.Offset(panel_blocks[panel], kScaleBytes), at, kGroupBytes);
        Value w = k_.ir().CreateAlignedLoad(bytes, place, llvm::Align(32));
        Value prepared = dot_->Prepare(k_, w);
        for (int token = 0; token < tokens(); ++token) {
          Value x = k_.LoadI32(k_.Element(token_blocks[token], at, 4));
          const int sum = panel * tokens() + token;
          next[sum] = dot_->Accumulate(k_, carried[sum], w, prepared, x);
        }
      }
      return next;
    };
    // A lone token's block is better as straight code. With more, LLVM would load all groups first
    // and run out of registers.
    if (panels() * tokens() == 1) {
      for (int64_t i = 0; i < kBlock / 4; ++i) dots = group(k_.I64(i), dots);
      return dots;
    }
    return k_.Loop(k_.I64(0), k_.I64(kBlock / 4), 1, dots, group);
  }

  // carried + dots · weight scale · activation scale
  Values Scaled(const Values& dots, Value block, const Values& panel_blocks, const Values& inputs,
                const Values& carried) {
    llvm::IRBuilder<>& b = k_.ir();
    auto* halves = llvm::FixedVectorType::get(b.getHalfTy(), kLanes);
    Values scales;
    for (int token = 0; token < tokens(); ++token) {
      Value at = k_.Element(k_.Offset(inputs[token], ActivationScales(part_.k)), block, 4);
      scales.push_back(k_.Splat(k_.LoadF32(at)));
    }
    Values next(carried.size());
    for (int panel = 0; panel < panels(); ++panel) {
      Value rows = b.CreateFPExt(b.CreateAlignedLoad(halves, panel_blocks[panel], llvm::Align(32)),
                                 k_.F32Vector());
      for (int token = 0; token < tokens(); ++token) {
        const int at = panel * tokens() + token;
        next[at] = k_.Fma(b.CreateSIToFP(dots[at], k_.F32Vector()),
                          b.CreateFMul(rows, scales[token]), carried[at]);
      }
    }
    return next;
  }

  std::unique_ptr<Int8Dot> dot_;
};

}  // namespace

std::unique_ptr<MatmulTile> Int8Tile(KernelBuilder& k, const MatmulPart& part, int panels,
                                     int tokens) {
  return std::make_unique<Tile>(k, part, panels, tokens);
}

}  // namespace weft::codegen
