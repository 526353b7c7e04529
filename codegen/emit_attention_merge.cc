// The second step of attention over slices: the states of the spans become the result, in the order
// in which a step of more tokens merges them itself.
#include "codegen/attention_partials.h"
#include "codegen/emitters.h"
#include "codegen/layout.h"

namespace weft::codegen {

void EmitAttentionMerge(KernelBuilder& k) {
  using Value = KernelBuilder::Value;
  llvm::IRBuilder<>& b = k.ir();
  const ir::Node& node = k.spec().node;
  const int64_t heads = node.Int(ir::Attr::kHeads);
  const int64_t head_dim = node.type.last().value() / heads;
  const int64_t columns = Panels(head_dim) * kLanes;
  const AttentionPartials partials(k, 0, heads, head_dim);
  const AttentionState total = {k.Scratch(columns), k.Scratch(1), k.Scratch(1)};

  Value first = k.I64(0);
  if (node.Has(ir::Attr::kWindow)) {
    const int64_t before = node.Int(ir::Attr::kWindow) - 1;
    first = k.Max64(first, b.CreateSub(k.position(), k.I64(before)));
  }
  first = b.CreateUDiv(first, k.I64(kSpan));
  Value end = SpansBelow(k, b.CreateAdd(k.position(), k.tokens()));
  k.If(AttentionPartials::Split(k), [&] {
    k.Loop(k.begin(), k.end(), 1, [&](Value unit) {
      Value token = b.CreateUDiv(unit, k.I64(heads));
      Value head = b.CreateURem(unit, k.I64(heads));
      EmitEmptyState(k, total, columns);
      k.Loop(k.I64(0), b.CreateSub(end, first), 1, [&](Value span) {
        EmitMergeState(k, total, partials.At(token, span, head), columns);
      });
      EmitAttentionResult(k, total, k.Element(k.Row(1, token), head, head_dim * 4), head_dim);
    });
  });
}

}  // namespace weft::codegen
