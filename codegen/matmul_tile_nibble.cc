// Q8_0 weights on AVX2, a few tokens: w + 128 = 16 · high + low, both below 16, so that
// vpmaddubsw needs no sign moved and its pairs add up in 16 bits over a whole block:
// 16 · 15 · 127 = 30,480. Of one token that saves nothing; of four the split is shared.
#include <numeric>

#include "codegen/matmul_tile.h"
#include "llvm/IR/IntrinsicsX86.h"

namespace weft::codegen {
namespace {

class Tile final : public MatmulTile {
 public:
  Tile(KernelBuilder& k, const MatmulPart& part, int tokens)
      : MatmulTile(k, part, /*panels=*/1, tokens), b_(k.ir()) {}

  Values Sums(const Values& weights, const Values& inputs, const Range& range,
              const Values& sums) override {
    return k_.Loop(
        FirstBlock(range), EndBlock(range), 1, sums, [&](Value block, const Values& carried) {
          Value at = k_.Element(weights[0], block, kPanelBlockBytes);
          Values rows;
          for (Value input : inputs) rows.push_back(k_.Element(input, block, kBlock));
          // 8 rows at a time: two sums of each token take half of the registers.
          const Values low = HalfDots(k_.Offset(at, kScaleBytes), rows);
          const Values high = HalfDots(k_.Offset(at, kScaleBytes + kGroupBytes / 2), rows);
          std::vector<int> both(kLanes);
          std::iota(both.begin(), both.end(), 0);
          auto* halves = llvm::FixedVectorType::get(b_.getHalfTy(), kLanes);
          Value scales =
              b_.CreateFPExt(b_.CreateAlignedLoad(halves, at, llvm::Align(32)), k_.F32Vector());
          Values next;
          for (int token = 0; token < tokens(); ++token) {
            const auto field = [&](int64_t offset) {
              return k_.Element(k_.Offset(inputs[token], offset), block, 4);
            };
            Value shift =
                b_.CreateMul(k_.LoadI32(field(ActivationSums(part_.k))), b_.getInt32(128));
            Value dot = b_.CreateSub(b_.CreateShuffleVector(low[token], high[token], both),
                                     k_.Splat(shift));
            Value scale = k_.Splat(k_.LoadF32(field(ActivationScales(part_.k))));
            next.push_back(k_.Fma(b_.CreateSIToFP(dot, k_.F32Vector()),
                                  b_.CreateFMul(scales, scale), carried[token]));
          }
          return next;
        });
  }

 private:
  static constexpr unsigned kBytes = 32;

  llvm::Type* Vector(llvm::Type* element) {
    return llvm::FixedVectorType::get(element, kBytes * 8 / element->getScalarSizeInBits());
  }
  Value SplatByte(uint8_t value) { return b_.CreateVectorSplat(kBytes, b_.getInt8(value)); }
  Value SplatWord(uint16_t value) { return b_.CreateVectorSplat(kBytes / 2, b_.getInt16(value)); }

  // Of 8 rows per token, as <8 x i32>: sums of (w + 128) · a over the block.
  Values HalfDots(Value groups, const Values& rows) {
    const Values initial(2 * rows.size(), llvm::Constant::getNullValue(Vector(b_.getInt16Ty())));
    const Values sums =
        k_.Loop(k_.I64(0), k_.I64(kBlock / 4), 1, initial, [&](Value group, const Values& carried) {
          Value w = b_.CreateAlignedLoad(Vector(b_.getInt8Ty()),
                                         k_.Element(groups, group, kGroupBytes), llvm::Align(32));
          Value shifted = b_.CreateLShr(
              b_.CreateBitCast(b_.CreateXor(w, SplatByte(0x80)), Vector(b_.getInt16Ty())),
              SplatWord(4));
          Value nibbles[2] = {b_.CreateAnd(b_.CreateBitCast(shifted, w->getType()), SplatByte(15)),
                              b_.CreateAnd(w, SplatByte(15))};
          Values next;
          for (size_t token = 0; token < rows.size(); ++token) {
            Value x = k_.LoadI32(k_.Element(rows[token], group, 4));
            Value shared = b_.CreateBitCast(b_.CreateVectorSplat(kBytes / 4, x), w->getType());
            for (int i = 0; i < 2; ++i) {
              Value products = b_.CreateIntrinsic(llvm::Intrinsic::x86_avx2_pmadd_ub_sw, {},
                                                  {nibbles[i], shared});
              next.push_back(b_.CreateAdd(carried[2 * token + i], products));
            }
          }
          return next;
        });
    Values dots;
    const auto widened = [&](Value pairs, uint16_t factor) {
      return b_.CreateIntrinsic(llvm::Intrinsic::x86_avx2_pmadd_wd, {}, {pairs, SplatWord(factor)});
    };
    for (size_t token = 0; token < rows.size(); ++token)
      dots.push_back(b_.CreateAdd(widened(sums[2 * token], 16), widened(sums[2 * token + 1], 1)));
    return dots;
  }

  llvm::IRBuilder<>& b_;
};

}  // namespace

std::unique_ptr<MatmulTile> NibbleTile(KernelBuilder& k, const MatmulPart& part, int tokens) {
  return std::make_unique<Tile>(k, part, tokens);
}

}  // namespace weft::codegen
