// Rows of activations to int8: per block of 32 the scale amax/127 in F32, round half to even, and
// the sum of the quants. What is no number makes its block NaN.
#include <limits>

#include "codegen/emitters.h"
#include "codegen/layout.h"

namespace weft::codegen {

using Value = KernelBuilder::Value;

void EmitQuantizedBlock(KernelBuilder& k, Value low, Value high, Value row, Value index,
                        int64_t width) {
  llvm::IRBuilder<>& b = k.ir();
  auto* bytes = llvm::FixedVectorType::get(b.getInt8Ty(), kLanes);
  Value halves[2] = {low, high};
  // Sizes compare as their bits do, with infinity and NaN above all numbers.
  Value a = b.CreateBitCast(k.Abs(low), k.I32Vector());
  Value c = b.CreateBitCast(k.Abs(high), k.I32Vector());
  Value largest = k.ReduceMaxI32(b.CreateSelect(b.CreateICmpSGT(a, c), a, c));
  Value amax = b.CreateBitCast(largest, b.getFloatTy());
  // Where 127/amax is not finite (amax 0, or so small that the quants would mean nothing) the
  // block counts as zeros.
  Value ratio = b.CreateFDiv(k.F32(127), amax);
  Value finite = b.CreateFCmpOLT(ratio, k.F32(std::numeric_limits<double>::infinity()));
  Value inverse = b.CreateSelect(finite, ratio, k.F32(0));
  // A block that holds an infinity or a NaN stands for NaNs, whatever its quants are: these are
  // zeros.
  Value numbers = b.CreateFCmpOLT(amax, k.F32(std::numeric_limits<double>::infinity()));
  Value total = k.SplatI32(0);
  for (int half = 0; half < 2; ++half) {
    Value scaled = b.CreateFMul(halves[half], k.Splat(inverse));
    scaled = b.CreateSelect(numbers, scaled, k.ZeroF32());
    // 1.5 · 2^23 rounds the sum to an integer (half to even), which then stands in the low bits.
    Value rounded = b.CreateFAdd(scaled, k.SplatF32(12582912.0));
    Value quants = b.CreateSub(b.CreateBitCast(rounded, k.I32Vector()), k.SplatI32(0x4B400000));
    total = b.CreateAdd(total, quants);
    Value place = k.Offset(k.Element(row, index, kBlock), half * kLanes);
    b.CreateAlignedStore(b.CreateTrunc(quants, bytes), place, llvm::Align(16));
  }
  Value scale = b.CreateSelect(numbers, b.CreateFDiv(amax, k.F32(127)),
                               k.F32(std::numeric_limits<double>::quiet_NaN()));
  b.CreateStore(scale, k.Element(k.Offset(row, ActivationScales(width)), index, 4));
  b.CreateStore(k.ReduceAddI32(total), k.Element(k.Offset(row, ActivationSums(width)), index, 4));
}

void EmitQuantize(KernelBuilder& k) {
  const int64_t width = k.spec().operands[0].type.last().value();
  const auto block = [&](Value row, Value out, Value index, Value low_mask, Value high_mask) {
    Value at = k.Element(row, index, kBlock * 4);
    Value low = k.Load(at, low_mask);
    Value high = k.Load(k.Offset(at, kLanes * 4), high_mask);
    EmitQuantizedBlock(k, low, high, out, index, width);
  };

  k.Loop(k.begin(), k.end(), 1, [&](Value token) {
    Value row = k.Row(0, token);
    Value out = k.Row(1, token);
    k.Loop(k.I64(0), k.I64(width / kBlock), 1,
           [&](Value index) { block(row, out, index, nullptr, nullptr); });
    if (const int64_t rest = width % kBlock; rest != 0) {
      block(row, out, k.I64(width / kBlock), k.LanesBelow(k.I64(rest)),
            k.LanesBelow(k.I64(std::max<int64_t>(rest - kLanes, 0))));
    }
  });
}

}  // namespace weft::codegen
