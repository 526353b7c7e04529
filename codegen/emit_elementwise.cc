// Ops that take each element by itself: add, mul, scale, activate, gated_activate, softcap.
#include "codegen/emitters.h"
#include "codegen/math.h"
#include "runtime/abi/check.h"

namespace weft::codegen {
namespace {

using Value = KernelBuilder::Value;

Value Apply(KernelBuilder& k, Value a, Value b) {
  const ir::Node& node = k.spec().node;
  switch (node.op) {
    case ir::Op::kAdd:
      return k.ir().CreateFAdd(a, b);
    case ir::Op::kMul:
      return k.ir().CreateFMul(a, b);
    case ir::Op::kScale:
      return k.ir().CreateFMul(a, k.SplatF32(node.Float(ir::Attr::kValue)));
    case ir::Op::kActivate:
      return EmitActivation(k, node.String(ir::Attr::kFn), a);
    case ir::Op::kGatedActivate:
      return k.ir().CreateFMul(EmitActivation(k, node.String(ir::Attr::kFn), a), b);
    case ir::Op::kSoftcap:
      return EmitSoftcap(k, node.Float(ir::Attr::kCap), a);
    case ir::Op::kInput:
    case ir::Op::kWeight:
    case ir::Op::kRopeTable:
    case ir::Op::kConcat:
    case ir::Op::kPack:
    case ir::Op::kEmbed:
    case ir::Op::kRmsNorm:
    case ir::Op::kLayerNorm:
    case ir::Op::kMatmul:
    case ir::Op::kQuantize:
    case ir::Op::kSlice:
    case ir::Op::kRope:
    case ir::Op::kKvAppend:
    case ir::Op::kAttention:
    case ir::Op::kSelectRows:
    case ir::Op::kArgmax:
      break;
  }
  WEFT_CHECK(false);
}

}  // namespace

void EmitElementwise(KernelBuilder& k) {
  const bool binary = k.spec().operands.size() == 3;
  const bool broadcast = binary && k.spec().operands[1].type.rank() == 1;
  k.Loop(k.begin(), k.end(), 1, [&](Value token) {
    Value first = k.Row(0, token);
    Value second = !binary ? nullptr : broadcast ? k.Operand(1) : k.Row(1, token);
    Value out = k.Row(k.spec().result_index(), token);
    k.Columns(k.spec().result().type.last().value(), [&](Value column, Value mask) {
      Value a = k.Load(k.Element(first, column, 4), mask);
      Value b = binary ? k.Load(k.Element(second, column, 4), mask) : nullptr;
      k.Store(Apply(k, a, b), k.Element(out, column, 4), mask);
    });
  });
}

}  // namespace weft::codegen
