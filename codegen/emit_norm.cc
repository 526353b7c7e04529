// RMSNorm and LayerNorm. Sums run over 16 lanes, then through the fixed tree of
// KernelBuilder::ReduceAdd.
#include "codegen/emitters.h"

namespace weft::codegen {
namespace {

using Value = KernelBuilder::Value;
using Values = KernelBuilder::Values;

// 1 / sqrt(sum / width + eps)
Value InverseRoot(KernelBuilder& k, Value sum, int64_t width) {
  llvm::IRBuilder<>& b = k.ir();
  Value mean = b.CreateFDiv(sum, k.F32(static_cast<double>(width)));
  return b.CreateFDiv(k.F32(1),
                      k.Sqrt(b.CreateFAdd(mean, k.F32(k.spec().node.Float(ir::Attr::kEps)))));
}

Value SumOf(KernelBuilder& k, int64_t width,
            const std::function<Value(Value column, Value mask, Value sum)>& add) {
  const Values sums =
      k.Columns(width, {k.ZeroF32()}, [&](Value column, Value mask, const Values& carried) {
        return Values{add(column, mask, carried[0])};
      });
  return k.ReduceAdd(sums[0]);
}

}  // namespace

void EmitRmsNorm(KernelBuilder& k) {
  llvm::IRBuilder<>& b = k.ir();
  const int64_t columns = k.spec().operands[0].type.last().value();
  const int64_t width = k.spec().node.Int(ir::Attr::kGroup, columns);
  const int64_t groups = columns / width;
  const double offset = k.spec().node.Float(ir::Attr::kOffset, 0.0);
  k.Loop(k.begin(), k.end(), 1, [&](Value unit) {
    Value token = b.CreateUDiv(unit, k.I64(groups));
    Value group = b.CreateURem(unit, k.I64(groups));
    Value x = k.Element(k.Row(0, token), group, width * 4);
    Value y = k.Element(k.Row(2, token), group, width * 4);
    Value sum = SumOf(k, width, [&](Value column, Value mask, Value carried) {
      Value value = k.Load(k.Element(x, column, 4), mask);
      return k.Fma(value, value, carried);
    });
    Value factor = k.Splat(InverseRoot(k, sum, width));
    k.Columns(width, [&](Value column, Value mask) {
      Value weight = k.Load(k.Element(k.Operand(1), column, 4), mask);
      if (offset != 0) weight = b.CreateFAdd(weight, k.SplatF32(offset));
      Value scaled = b.CreateFMul(k.Load(k.Element(x, column, 4), mask), factor);
      k.Store(b.CreateFMul(scaled, weight), k.Element(y, column, 4), mask);
    });
  });
}

void EmitLayerNorm(KernelBuilder& k) {
  llvm::IRBuilder<>& b = k.ir();
  const int64_t width = k.spec().operands[0].type.last().value();
  k.Loop(k.begin(), k.end(), 1, [&](Value token) {
    Value x = k.Row(0, token);
    Value y = k.Row(3, token);
    Value sum = SumOf(k, width, [&](Value column, Value mask, Value carried) {
      return b.CreateFAdd(carried, k.Load(k.Element(x, column, 4), mask));
    });
    Value mean = k.Splat(b.CreateFDiv(sum, k.F32(static_cast<double>(width))));
    // Masked-off lanes must not count as -mean.
    const auto centred = [&](Value column, Value mask) {
      Value value = b.CreateFSub(k.Load(k.Element(x, column, 4), mask), mean);
      return mask == nullptr ? value : b.CreateSelect(mask, value, k.ZeroF32());
    };
    Value squares = SumOf(k, width, [&](Value column, Value mask, Value carried) {
      Value value = centred(column, mask);
      return k.Fma(value, value, carried);
    });
    Value factor = k.Splat(InverseRoot(k, squares, width));
    k.Columns(width, [&](Value column, Value mask) {
      Value weight = k.Load(k.Element(k.Operand(1), column, 4), mask);
      Value bias = k.Load(k.Element(k.Operand(2), column, 4), mask);
      Value value = k.Fma(b.CreateFMul(centred(column, mask), factor), weight, bias);
      k.Store(value, k.Element(y, column, 4), mask);
    });
  });
}

}  // namespace weft::codegen
