#include "codegen/int8_dot.h"

#include <numeric>
#include <vector>

#include "llvm/IR/IntrinsicsX86.h"
#include "runtime/abi/check.h"

namespace weft::codegen {
namespace {

using Value = KernelBuilder::Value;

llvm::Type* Bytes(KernelBuilder& k, unsigned count) {
  return llvm::FixedVectorType::get(k.ir().getInt8Ty(), count);
}

// Lanes [begin, begin + count) of a vector.
Value Part(KernelBuilder& k, Value vector, int begin, int count) {
  std::vector<int> lanes(count);
  std::iota(lanes.begin(), lanes.end(), begin);
  return k.ir().CreateShuffleVector(vector, lanes);
}

std::vector<int> AllLanes() {
  std::vector<int> lanes(kLanes);
  std::iota(lanes.begin(), lanes.end(), 0);
  return lanes;
}

// vpdpbusd multiplies unsigned by signed bytes: w + 128 takes the unsigned side, and 128 · Σa is
// taken off at the start.
class VnniDot final : public Int8Dot {
 public:
  Value Start(KernelBuilder& k, Value sum) const override {
    return k.Splat(k.ir().CreateMul(sum, k.ir().getInt32(static_cast<uint32_t>(-128))));
  }
  Value Prepare(KernelBuilder& k, Value weights) const override {
    Value flipped = k.ir().CreateXor(weights, k.ir().CreateVectorSplat(64, k.ir().getInt8(0x80)));
    return k.ir().CreateBitCast(flipped, k.I32Vector());
  }
  Value Accumulate(KernelBuilder& k, Value sums, Value /*weights*/, Value prepared,
                   Value activations) const override {
    Value shared = k.Splat(activations);
    if (k.target().emulated) return Emulate(k, sums, prepared, shared);
    llvm::IRBuilder<>& b = k.ir();
    if (k.target().wide()) {
      return b.CreateIntrinsic(llvm::Intrinsic::x86_avx512_vpdpbusd_512, {},
                               {sums, prepared, shared});
    }
    Value halves[2];
    for (int half = 0; half < 2; ++half) {
      const auto part = [&](Value vector) { return Part(k, vector, 8 * half, 8); };
      halves[half] = b.CreateIntrinsic(llvm::Intrinsic::x86_avx512_vpdpbusd_256, {},
                                       {part(sums), part(prepared), part(shared)});
    }
    return b.CreateShuffleVector(halves[0], halves[1], AllLanes());
  }

 private:
  // What vpdpbusd does: unsigned times signed bytes, four products added to each sum.
  static Value Emulate(KernelBuilder& k, Value sums, Value weights, Value activations) {
    llvm::IRBuilder<>& b = k.ir();
    for (int place = 0; place < 4; ++place) {
      Value w = b.CreateAnd(b.CreateLShr(weights, k.SplatI32(8 * place)), k.SplatI32(0xff));
      Value top = b.CreateShl(activations, k.SplatI32(24 - 8 * place));
      sums = b.CreateAdd(sums, b.CreateMul(w, b.CreateAShr(top, k.SplatI32(24))));
    }
    return sums;
  }
};

// vpmaddubsw multiplies unsigned by signed bytes and adds pairs in int16: |w| takes the unsigned
// side and a gets w's sign. 2 · 128 · 127 fits, so nothing saturates; with |a| and w's bytes
// negated instead, w = -128 would be wrong.
class Avx2Dot final : public Int8Dot {
 public:
  Value Start(KernelBuilder& k, Value /*sum*/) const override { return k.SplatI32(0); }
  Value Prepare(KernelBuilder& k, Value weights) const override {
    return k.ir().CreateBinaryIntrinsic(llvm::Intrinsic::abs, weights, k.ir().getFalse());
  }
  Value Accumulate(KernelBuilder& k, Value sums, Value weights, Value prepared,
                   Value activations) const override {
    llvm::IRBuilder<>& b = k.ir();
    Value shared = b.CreateBitCast(b.CreateVectorSplat(8, activations), Bytes(k, 32));
    Value ones = b.CreateVectorSplat(16, b.getInt16(1));
    Value halves[2];
    for (int half = 0; half < 2; ++half) {
      Value w = Part(k, weights, 32 * half, 32);
      Value size = Part(k, prepared, 32 * half, 32);
      Value a = b.CreateIntrinsic(llvm::Intrinsic::x86_avx2_psign_b, {}, {shared, w});
      Value pairs = b.CreateIntrinsic(llvm::Intrinsic::x86_avx2_pmadd_ub_sw, {}, {size, a});
      Value quads = b.CreateIntrinsic(llvm::Intrinsic::x86_avx2_pmadd_wd, {}, {pairs, ones});
      halves[half] = b.CreateAdd(Part(k, sums, 8 * half, 8), quads);
    }
    return b.CreateShuffleVector(halves[0], halves[1], AllLanes());
  }
};

}  // namespace

std::unique_ptr<Int8Dot> Int8Dot::For(const Target& target) {
  switch (target.tier) {
    case Tier::kAvx2:
      return std::make_unique<Avx2Dot>();
    case Tier::kAvxVnni:
    case Tier::kAvx512Vnni:
    case Tier::kAmxInt8:
      return std::make_unique<VnniDot>();
  }
  WEFT_CHECK(false);
}

}  // namespace weft::codegen
