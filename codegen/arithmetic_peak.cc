#include "codegen/arithmetic_peak.h"

#include "codegen/kernel_builder.h"
#include "llvm/IR/IntrinsicsX86.h"

namespace weft::codegen {
namespace {

using Value = KernelBuilder::Value;
using Values = KernelBuilder::Values;

// Four or five cycles pass until a result can be used, two instructions begin in each: 8 to 10 must
// be under way. More do not fit 16 registers beside their factors.
constexpr int kChains = 12;

// One product instruction: its sum before, and factors that do not change.
struct Product {
  llvm::Type* type;  // of the sum
  int64_t macs;
  std::function<Value(Value sum)> apply;
};

llvm::Type* Vector(llvm::Type* element, unsigned bits) {
  return llvm::FixedVectorType::get(element, bits / element->getScalarSizeInBits());
}

// Factors come from memory, so that LLVM knows nothing of them; which values they are plays no
// part in how long integers take, and zeros keep floats normal.
Product ProductOf(KernelBuilder& k, DataType format) {
  llvm::IRBuilder<>& b = k.ir();
  const unsigned bits = k.target().wide() ? 512 : 256;
  const auto factor = [&](llvm::Type* type) {
    return b.CreateAlignedLoad(type, k.Operand(0), llvm::Align(32), /*isVolatile=*/true);
  };
  if (format == DataType::kF32) {
    auto* type = Vector(b.getFloatTy(), bits);
    Value x = factor(type);
    Value y = factor(type);
    return {type, bits / 32, [&b, type, x, y](Value sum) {
              return b.CreateIntrinsic(llvm::Intrinsic::fma, {type}, {x, y, sum});
            }};
  }
  if (k.target().tier == Tier::kAvx2) {
    auto* words = Vector(b.getInt16Ty(), bits);
    Value x = factor(words);
    // The sum is the other factor: a product that did not change would leave the loop.
    return {words, bits / 16, [&b, words, x](Value sum) {
              return b.CreateBitCast(
                  b.CreateIntrinsic(llvm::Intrinsic::x86_avx2_pmadd_wd, {}, {sum, x}), words);
            }};
  }
  auto* sums = Vector(b.getInt32Ty(), bits);
  Value x = factor(sums);
  Value y = factor(sums);
  const llvm::Intrinsic::ID id = bits == 512 ? llvm::Intrinsic::x86_avx512_vpdpbusd_512
                                             : llvm::Intrinsic::x86_avx512_vpdpbusd_256;
  return {sums, bits / 8,
          [&b, id, x, y](Value sum) { return b.CreateIntrinsic(id, {}, {sum, x, y}); }};
}

void EmitPeak(KernelBuilder& k, DataType format) {
  llvm::IRBuilder<>& b = k.ir();
  const Product product = ProductOf(k, format);
  const int64_t turns = kPeakUnitMacs / (product.macs * kChains);
  Values initial;
  for (int i = 0; i < kChains; ++i) {
    initial.push_back(
        b.CreateAlignedLoad(product.type, k.Operand(0), llvm::Align(32), /*isVolatile=*/true));
  }
  const Values sums = k.Loop(k.I64(0), b.CreateMul(b.CreateSub(k.end(), k.begin()), k.I64(turns)),
                             1, initial, [&](Value, const Values& carried) {
                               Values next;
                               for (Value sum : carried) next.push_back(product.apply(sum));
                               return next;
                             });
  for (Value sum : sums)
    b.CreateAlignedStore(sum, k.Operand(0), llvm::Align(32), /*isVolatile=*/true);
}

}  // namespace

NamedEmission ArithmeticPeak(DataType format) {
  // Operands are bare memory; their types play no part.
  KernelSpec spec{.node = {.op = ir::Op::kAdd}};
  spec.operands.resize(1);
  return {format == DataType::kF32 ? "peak_f32" : "peak_q8_0", spec,
          [format](KernelBuilder& k) { EmitPeak(k, format); }};
}

}  // namespace weft::codegen
