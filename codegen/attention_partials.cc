#include "codegen/attention_partials.h"

#include <limits>

#include "codegen/layout.h"
#include "codegen/math.h"
#include "runtime/abi/check.h"

namespace weft::codegen {

using Value = KernelBuilder::Value;

void EmitEmptyState(KernelBuilder& k, const AttentionState& state, int64_t columns) {
  k.ir().CreateStore(k.F32(-std::numeric_limits<float>::max()), state.highest);
  k.ir().CreateStore(k.F32(0), state.sum);
  k.Columns(columns,
            [&](Value column, Value) { k.Store(k.ZeroF32(), k.Element(state.mixed, column, 4)); });
}

void EmitMergeState(KernelBuilder& k, const AttentionState& state, const AttentionState& next,
                    int64_t columns) {
  llvm::IRBuilder<>& b = k.ir();
  Value before = k.LoadF32(state.highest);
  Value after = k.LoadF32(next.highest);
  Value highest = b.CreateSelect(b.CreateFCmpOGT(after, before), after, before);
  Value old_factor = EmitExp(k, k.Splat(b.CreateFSub(before, highest)));
  Value new_factor = EmitExp(k, k.Splat(b.CreateFSub(after, highest)));
  const auto merged = [&](Value old_value, Value new_value) {
    return k.Fma(old_value, old_factor, b.CreateFMul(new_value, new_factor));
  };
  k.Columns(columns, [&](Value column, Value) {
    Value at = k.Element(state.mixed, column, 4);
    k.Store(merged(k.Load(at), k.Load(k.Element(next.mixed, column, 4))), at);
  });
  Value sum = merged(k.Splat(k.LoadF32(state.sum)), k.Splat(k.LoadF32(next.sum)));
  b.CreateStore(b.CreateExtractElement(sum, uint64_t{0}), state.sum);
  b.CreateStore(highest, state.highest);
}

void EmitAttentionResult(KernelBuilder& k, const AttentionState& state, Value out,
                         int64_t head_dim) {
  Value sum = k.Splat(k.LoadF32(state.sum));
  k.Columns(head_dim, [&](Value column, Value mask) {
    Value value = k.ir().CreateFDiv(k.Load(k.Element(state.mixed, column, 4)), sum);
    k.Store(value, k.Element(out, column, 4), mask);
  });
}

Value SpansBelow(KernelBuilder& k, Value end) {
  return k.ir().CreateUDiv(k.ir().CreateAdd(end, k.I64(kSpan - 1)), k.I64(kSpan));
}

AttentionPartials::AttentionPartials(KernelBuilder& k, int operand, int64_t heads, int64_t head_dim)
    : k_(k), base_(k.Operand(operand)), heads_(heads), head_dim_(head_dim) {
  const int64_t bytes = k.spec().operands[operand].type.last().value() * 4;
  const int64_t span_bytes = kSplitTokens * heads * PartialBytes(head_dim);
  WEFT_CHECK(bytes % span_bytes == 0);
  spans_ = bytes / span_bytes;
}

AttentionState AttentionPartials::At(Value token, Value span, Value head) const {
  const int64_t head_bytes = PartialBytes(head_dim_);
  Value row = k_.Element(base_, token, spans_ * heads_ * head_bytes);
  Value at = k_.Element(k_.Element(row, span, heads_ * head_bytes), head, head_bytes);
  Value scalars = k_.Offset(at, head_bytes - kPanelRows * 4);
  return {at, scalars, k_.Offset(scalars, 4)};
}

Value AttentionPartials::Split(KernelBuilder& k) {
  return k.ir().CreateICmpSLE(k.tokens(), k.I64(kSplitTokens));
}

}  // namespace weft::codegen
