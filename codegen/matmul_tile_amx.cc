// Q8_0 weights on AMX, many tokens: 16 tokens × 16 rows at once. A group of a panel, 16 rows × 4 k,
// is a row of tdpbssd's second matrix as it is packed, so a block of 32 k is a tile of 8 rows;
// bytes of both sides are signed, so nothing has to be corrected. Scales come per block, so each
// block's sums leave the tile: https://www.intel.com/sdm, volume 2, TDPBSSD.
#include "codegen/matmul_tile.h"
#include "llvm/IR/IntrinsicsX86.h"

namespace weft::codegen {
namespace {

using Value = KernelBuilder::Value;
using Values = KernelBuilder::Values;

constexpr int kTokens = kAmxTokens;
enum TileRegister : uint8_t { kSums, kActivations, kWeights };

// Sums [token][row] of one block: on tiles, or in plain arithmetic where they are emulated.
class BlockSums {
 public:
  explicit BlockSums(KernelBuilder& k) : k_(k), b_(k.ir()), place_(k.Scratch(kTokens * kLanes)) {}

  void Begin() {
    if (k_.target().emulated) return;
    // Palette 1; bytes of a row at 16 + 2 · tile, rows at 48 + tile.
    Value config = k_.Scratch(16);
    k_.Store(k_.ZeroF32(), config);
    Byte(config, 0, 1);
    Shape(config, kSums, kTokens, kLanes * 4);
    Shape(config, kActivations, kTokens, kBlock);
    Shape(config, kWeights, kBlock / 4, kGroupBytes);
    b_.CreateIntrinsic(llvm::Intrinsic::x86_ldtilecfg, {}, {config});
  }
  void End() {
    if (!k_.target().emulated) b_.CreateIntrinsic(llvm::Intrinsic::x86_tilerelease, {}, {});
  }

  // Returns where they stand, as int32.
  Value Compute(Value activations, int64_t stride, Value groups) {
    if (k_.target().emulated) {
      Emulate(activations, stride, groups);
      return place_;
    }
    const auto tile = [&](TileRegister t) { return b_.getInt8(t); };
    b_.CreateIntrinsic(llvm::Intrinsic::x86_tilezero, {}, {tile(kSums)});
    b_.CreateIntrinsic(llvm::Intrinsic::x86_tileloadd64, {},
                       {tile(kActivations), activations, k_.I64(stride)});
    b_.CreateIntrinsic(llvm::Intrinsic::x86_tileloadd64, {},
                       {tile(kWeights), groups, k_.I64(kGroupBytes)});
    b_.CreateIntrinsic(llvm::Intrinsic::x86_tdpbssd, {},
                       {tile(kSums), tile(kActivations), tile(kWeights)});
    b_.CreateIntrinsic(llvm::Intrinsic::x86_tilestored64, {},
                       {tile(kSums), place_, k_.I64(kLanes * 4)});
    return place_;
  }

 private:
  void Byte(Value config, int64_t at, int64_t value) {
    b_.CreateStore(b_.getInt8(static_cast<uint8_t>(value)), k_.Offset(config, at));
  }
  void Shape(Value config, int64_t tile, int64_t rows, int64_t row_bytes) {
    Byte(config, 16 + 2 * tile, row_bytes);
    Byte(config, 48 + tile, rows);
  }

  void Emulate(Value activations, int64_t stride, Value groups) {
    k_.Loop(k_.I64(0), k_.I64(kTokens), 1, [&](Value token) {
      Value row = k_.Element(activations, token, stride);
      const Values sums =
          k_.Loop(k_.I64(0), k_.I64(kBlock / 4), 1, {k_.SplatI32(0)},
                  [&](Value group, const Values& carried) {
                    Value w = b_.CreateAlignedLoad(
                        k_.I32Vector(), k_.Element(groups, group, kGroupBytes), llvm::Align(4));
                    Value a = k_.Splat(k_.LoadI32(k_.Element(row, group, 4)));
                    Value sum = carried[0];
                    for (int place = 0; place < 4; ++place) {
                      const auto byte = [&](Value words) {
                        return b_.CreateAShr(b_.CreateShl(words, k_.SplatI32(24 - 8 * place)),
                                             k_.SplatI32(24));
                      };
                      sum = b_.CreateAdd(sum, b_.CreateMul(byte(w), byte(a)));
                    }
                    return Values{sum};
                  });
      b_.CreateAlignedStore(sums[0], k_.Element(place_, token, kLanes * 4), llvm::Align(64));
    });
  }

  KernelBuilder& k_;
  llvm::IRBuilder<>& b_;
  Value place_;
};

// A prepared row of activations: int8 in order of k, then the F32 scales of the blocks. So all rows
// of a tile are equally far apart, also where the last token stands in for those that are missing.
class Tile final : public MatmulTile {
 public:
  Tile(KernelBuilder& k, const MatmulPart& part)
      : MatmulTile(k, part, /*panels=*/1, kTokens), b_(k.ir()), block_sums_(k) {}

  void Begin() override { block_sums_.Begin(); }
  void End() override { block_sums_.End(); }

  int64_t prepared_token_bytes(int64_t k) const override {
    return (CeilDiv(Blocks(k) * (kBlock + 4), 64) | 1) * 64;
  }

  void PrepareToken(Value row, Value prepared, const Range& range) override {
    Value first = FirstBlock(range);
    auto* bytes = llvm::FixedVectorType::get(b_.getInt8Ty(), kBlock);
    k_.Loop(first, EndBlock(range), 1, [&](Value block) {
      Value to = b_.CreateSub(block, first);
      b_.CreateAlignedStore(
          b_.CreateAlignedLoad(bytes, k_.Element(row, block, kBlock), llvm::Align(1)),
          k_.Element(prepared, to, kBlock), llvm::Align(32));
      Value scale = k_.LoadF32(k_.Element(k_.Offset(row, ActivationScales(part_.k)), block, 4));
      b_.CreateStore(scale, k_.Element(k_.Offset(prepared, ScalesAt(range)), to, 4));
    });
  }

  Values Sums(const Values& weights, const Values& inputs, const Range& range,
              const Values& sums) override {
    const int64_t stride = prepared_token_bytes(range.most);
    Value first = FirstBlock(range);
    return k_.Loop(
        k_.I64(0), b_.CreateSub(EndBlock(range), first), 1, sums,
        [&](Value block, const Values& carried) {
          Value at = k_.Element(weights[0], b_.CreateAdd(first, block), kPanelBlockBytes);
          Value dots = block_sums_.Compute(k_.Element(inputs[0], block, kBlock), stride,
                                           k_.Offset(at, kScaleBytes));
          auto* halves = llvm::FixedVectorType::get(b_.getHalfTy(), kLanes);
          Value rows =
              b_.CreateFPExt(b_.CreateAlignedLoad(halves, at, llvm::Align(32)), k_.F32Vector());
          Values next;
          for (int token = 0; token < kTokens; ++token) {
            Value dot = b_.CreateAlignedLoad(k_.I32Vector(), k_.Offset(dots, token * kLanes * 4),
                                             llvm::Align(64));
            Value scale =
                k_.LoadF32(k_.Element(k_.Offset(inputs[token], ScalesAt(range)), block, 4));
            next.push_back(k_.Fma(b_.CreateSIToFP(dot, k_.F32Vector()),
                                  b_.CreateFMul(rows, k_.Splat(scale)), carried[token]));
          }
          return next;
        });
  }

 private:
  static int64_t ScalesAt(const Range& range) { return Blocks(range.most) * kBlock; }

  llvm::IRBuilder<>& b_;
  BlockSums block_sums_;
};

}  // namespace

std::unique_ptr<MatmulTile> AmxTile(KernelBuilder& k, const MatmulPart& part) {
  return std::make_unique<Tile>(k, part);
}

}  // namespace weft::codegen
