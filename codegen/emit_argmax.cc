// Index of the largest value of a row; ties go to the lowest index, NaN is never chosen while a
// number is there.
#include <limits>

#include "codegen/emitters.h"

namespace weft::codegen {

using Value = KernelBuilder::Value;
using Values = KernelBuilder::Values;

void EmitArgmax(KernelBuilder& k) {
  llvm::IRBuilder<>& b = k.ir();
  const int64_t width = k.spec().operands[0].type.last().value();
  k.Loop(k.begin(), k.end(), 1, [&](Value row) {
    Value x = k.Row(0, row);
    Value lowest = k.SplatF32(-std::numeric_limits<double>::infinity());
    const Values best = k.Columns(
        width, {lowest, k.SplatI32(0)}, [&](Value column, Value mask, const Values& carried) {
          Value value = k.Load(k.Element(x, column, 4), mask);
          if (mask != nullptr) value = b.CreateSelect(mask, value, lowest);
          Value better = b.CreateFCmpOGT(value, carried[0]);
          Value index = b.CreateAdd(k.Splat(b.CreateTrunc(column, b.getInt32Ty())), k.Iota());
          return Values{b.CreateSelect(better, value, carried[0]),
                        b.CreateSelect(better, index, carried[1])};
        });
    Value top = k.ReduceMax(best[0]);
    Value candidates = b.CreateSelect(b.CreateFCmpOEQ(best[0], k.Splat(top)), best[1],
                                      k.SplatI32(std::numeric_limits<int32_t>::max()));
    b.CreateStore(k.ReduceMinI32(candidates), k.Element(k.Operand(1), row, 4));
  });
}

}  // namespace weft::codegen
