// Q8_0 weights on AVX2, many tokens: weights and activations widened to 16 bits once, so that a
// product is one vpmaddwd. Two of them an iteration take as many instructions as one pair of
// vpsignb and vpmaddubsw, but no sign has to be moved for every weight and token.
//
// A prepared panel: per block of 32 k, 16 F32 scales, then per pair of k 16 rows × 2 int16. A
// prepared row of activations: int16 in order of k, then the F32 scales of the blocks.
#include <numeric>

#include "codegen/layout.h"
#include "codegen/matmul_tile.h"
#include "llvm/IR/IntrinsicsX86.h"

namespace weft::codegen {
namespace {

constexpr int64_t kScales = kPanelRows * 4;
constexpr int64_t kPairBytes = kPanelRows * 4;  // 16 rows × 2 k of int16
constexpr int64_t kPairs = kBlock / 2;

class Tile final : public MatmulTile {
 public:
  Tile(KernelBuilder& k, const MatmulPart& part, int tokens)
      : MatmulTile(k, part, /*panels=*/1, tokens), b_(k.ir()) {}

  // An odd number of cache lines: rows a multiple of 4 KiB apart would share the sets of L1.
  int64_t prepared_token_bytes(int64_t k) const override {
    return (CeilDiv(ScalesAt(k) + Blocks(k) * 4, 64) | 1) * 64;
  }

  void PrepareWeights(Value packed, Value prepared, const Range& range) override {
    Value first = FirstBlock(range);
    k_.Loop(first, EndBlock(range), 1, [&](Value block) {
      Value from = k_.Element(packed, block, kPanelBlockBytes);
      Value to = k_.Element(prepared, b_.CreateSub(block, first),
                            PreparedPanelBytes(TileKind::kWidened, kBlock));
      auto* halves = llvm::FixedVectorType::get(b_.getHalfTy(), kLanes);
      Value scales = b_.CreateAlignedLoad(halves, from, llvm::Align(32));
      k_.Store(b_.CreateFPExt(scales, k_.F32Vector()), to);
      for (int64_t group = 0; group < kBlock / 4; ++group) {
        WidenGroup(k_.Offset(from, kScaleBytes + group * kGroupBytes),
                   k_.Offset(to, kScales + group * 2 * kPairBytes));
      }
    });
  }

  void PrepareToken(Value row, Value prepared, const Range& range) override {
    Value first = FirstBlock(range);
    k_.Loop(first, EndBlock(range), 1, [&](Value block) {
      Value from = k_.Element(row, block, kBlock);
      Value to = b_.CreateSub(block, first);
      Value bytes = b_.CreateAlignedLoad(Vector(b_.getInt8Ty(), kBlock), from, llvm::Align(1));
      b_.CreateAlignedStore(b_.CreateSExt(bytes, Vector(b_.getInt16Ty(), kBlock)),
                            k_.Element(prepared, to, kBlock * 2), llvm::Align(32));
      Value scale = k_.LoadF32(k_.Element(k_.Offset(row, ActivationScales(part_.k)), block, 4));
      b_.CreateStore(scale, k_.Element(k_.Offset(prepared, ScalesAt(range.most)), to, 4));
    });
  }

  Values Sums(const Values& weights, const Values& inputs, const Range& range,
              const Values& sums) override {
    return k_.Loop(
        k_.I64(0), b_.CreateSub(EndBlock(range), FirstBlock(range)), 1, sums,
        [&](Value block, const Values& carried) {
          Value at = k_.Element(weights[0], block, PreparedPanelBytes(TileKind::kWidened, kBlock));
          const Values dots = Dots(block, k_.Offset(at, kScales), inputs);
          Value rows = k_.Load(at);
          Values next;
          for (int token = 0; token < tokens(); ++token) {
            Value scale =
                k_.LoadF32(k_.Element(k_.Offset(inputs[token], ScalesAt(range.most)), block, 4));
            next.push_back(k_.Fma(b_.CreateSIToFP(dots[token], k_.F32Vector()),
                                  b_.CreateFMul(rows, k_.Splat(scale)), carried[token]));
          }
          return next;
        });
  }

 private:
  static llvm::Type* Vector(llvm::Type* element, unsigned count) {
    return llvm::FixedVectorType::get(element, count);
  }

  static int64_t ScalesAt(int64_t k) { return Blocks(k) * kBlock * 2; }

  // 16 rows × 4 k of int8 to two pairs of k.
  void WidenGroup(Value from, Value to) {
    Value bytes = b_.CreateAlignedLoad(Vector(b_.getInt8Ty(), 64), from, llvm::Align(32));
    Value wide = b_.CreateSExt(bytes, Vector(b_.getInt16Ty(), 64));
    for (int pair = 0; pair < 2; ++pair) {
      std::vector<int> lanes;
      for (int row = 0; row < kPanelRows; ++row) {
        lanes.push_back(row * 4 + pair * 2);
        lanes.push_back(row * 4 + pair * 2 + 1);
      }
      b_.CreateAlignedStore(b_.CreateShuffleVector(wide, lanes), k_.Offset(to, pair * kPairBytes),
                            llvm::Align(32));
    }
  }

  // Sums of a block, exact in int32. Both halves of the rows have sums of their own: one vector of
  // 16 would be taken apart and put together around every instruction.
  Values Dots(Value block, Value pairs, const Values& inputs) {
    auto* half = llvm::FixedVectorType::get(b_.getInt32Ty(), kLanes / 2);
    Values rows;
    for (Value input : inputs) rows.push_back(k_.Element(input, block, kBlock * 2));
    const Values sums = k_.Loop(
        k_.I64(0), k_.I64(kPairs), 1, Values(2 * tokens(), llvm::Constant::getNullValue(half)),
        [&](Value pair, const Values& carried) {
          Value at = k_.Element(pairs, pair, kPairBytes);
          auto* words = Vector(b_.getInt16Ty(), kLanes);
          Value low = b_.CreateAlignedLoad(words, at, llvm::Align(32));
          Value high = b_.CreateAlignedLoad(words, k_.Offset(at, 32), llvm::Align(32));
          Values next;
          for (int token = 0; token < tokens(); ++token) {
            Value both = k_.LoadI32(k_.Element(rows[token], pair, 4));
            Value x = b_.CreateBitCast(b_.CreateVectorSplat(kLanes / 2, both), words);
            for (int i = 0; i < 2; ++i) {
              Value products = b_.CreateIntrinsic(llvm::Intrinsic::x86_avx2_pmadd_wd, {},
                                                  {i == 0 ? low : high, x});
              next.push_back(b_.CreateAdd(carried[2 * token + i], products));
            }
          }
          return next;
        });
    std::vector<int> both(kLanes);
    std::iota(both.begin(), both.end(), 0);
    Values dots;
    for (int token = 0; token < tokens(); ++token)
      dots.push_back(b_.CreateShuffleVector(sums[2 * token], sums[2 * token + 1], both));
    return dots;
  }

  llvm::IRBuilder<>& b_;
};

}  // namespace

std::unique_ptr<MatmulTile> WidenedTile(KernelBuilder& k, const MatmulPart& part, int tokens) {
  return std::make_unique<Tile>(k, part, tokens);
}

}  // namespace weft::codegen
