// Rotary position embedding: pairs of a head's first columns turn by the table's angle; further
// columns pass as they are.
#include <numeric>

#include "codegen/emitters.h"

namespace weft::codegen {
namespace {

using Value = KernelBuilder::Value;

struct Pair {
  Value first, second;
};

// (a, b) turned: (a cos - b sin, b cos + a sin), each with one rounding of the first product and
// one of the sum.
Pair Turn(KernelBuilder& k, Pair x, Value cosine, Value sine) {
  llvm::IRBuilder<>& b = k.ir();
  return {k.Fma(x.first, cosine, b.CreateFNeg(b.CreateFMul(x.second, sine))),
          k.Fma(x.second, cosine, b.CreateFMul(x.first, sine))};
}

// Pairs (2i, 2i+1), one at a time: the compiler vectorises what is worth it.
void EmitInterleaved(KernelBuilder& k, Value x, Value y, Value cosines, Value sines,
                     int64_t pairs) {
  k.Loop(k.I64(0), k.I64(pairs), 1, [&](Value i) {
    Value from = k.Element(x, i, 8);
    Value to = k.Element(y, i, 8);
    const Pair turned =
        Turn(k, {k.LoadF32(from), k.LoadF32(k.Offset(from, 4))},
             k.LoadF32(k.Element(cosines, i, 4)), k.LoadF32(k.Element(sines, i, 4)));
    k.ir().CreateStore(turned.first, to);
    k.ir().CreateStore(turned.second, k.Offset(to, 4));
  });
}

// Pairs (i, i + pairs).
void EmitHalves(KernelBuilder& k, Value x, Value y, Value cosines, Value sines, int64_t pairs) {
  k.Columns(pairs, [&](Value i, Value mask) {
    const auto load = [&](Value base) { return k.Load(k.Element(base, i, 4), mask); };
    const Pair turned =
        Turn(k, {load(x), load(k.Offset(x, pairs * 4))}, load(cosines), load(sines));
    k.Store(turned.first, k.Element(y, i, 4), mask);
    k.Store(turned.second, k.Element(k.Offset(y, pairs * 4), i, 4), mask);
  });
}

}  // namespace

void EmitRope(KernelBuilder& k) {
  llvm::IRBuilder<>& b = k.ir();
  const int64_t heads = k.spec().node.Int(ir::Attr::kHeads);
  const int64_t head_dim = k.spec().result().type.last().value() / heads;
  const int64_t rotated = k.spec().operands[2].type.last().value();
  k.Loop(k.begin(), k.end(), 1, [&](Value unit) {
    Value token = b.CreateUDiv(unit, k.I64(heads));
    Value head = b.CreateURem(unit, k.I64(heads));
    Value position = b.CreateSExt(k.LoadI32(k.Element(k.Operand(1), token, 4)), b.getInt64Ty());
    Value cosines = k.Element(k.Operand(2), position, rotated * 4);
    Value sines = k.Offset(cosines, rotated / 2 * 4);
    Value x = k.Element(k.Row(0, token), head, head_dim * 4);
    Value y = k.Element(k.Row(3, token), head, head_dim * 4);
    const bool interleaved = k.spec().node.Bool(ir::Attr::kInterleaved);
    (interleaved ? EmitInterleaved : EmitHalves)(k, x, y, cosines, sines, rotated / 2);
    if (rotated < head_dim) {
      k.Columns(head_dim - rotated, [&](Value column, Value mask) {
        Value at = b.CreateAdd(column, k.I64(rotated));
        k.Store(k.Load(k.Element(x, at, 4), mask), k.Element(y, at, 4), mask);
      });
    }
  });
}

}  // namespace weft::codegen
