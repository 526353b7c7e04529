// Keys and values of a step's tokens join the cache.
#include "codegen/emitters.h"
#include "codegen/kv_cache.h"

namespace weft::codegen {

void EmitKvAppend(KernelBuilder& k) {
  using Value = KernelBuilder::Value;
  llvm::IRBuilder<>& b = k.ir();
  KvCache cache(k, 2);
  k.Loop(k.begin(), k.end(), 1, [&](Value unit) {
    Value token = b.CreateUDiv(unit, k.I64(cache.heads()));
    Value head = b.CreateURem(unit, k.I64(cache.heads()));
    Value position = b.CreateAdd(k.position(), token);
    Value key = k.Element(k.Row(0, token), head, cache.head_dim() * 4);
    Value value = k.Element(k.Row(1, token), head, cache.head_dim() * 4);
    Value keys = cache.Keys(head);
    Value values = cache.ValuesOf(head);
    k.Loop(k.I64(0), k.I64(cache.head_dim()), 1,
           [&](Value d) { cache.StoreKey(keys, position, d, k.LoadF32(k.Element(key, d, 4))); });
    k.Columns(cache.head_dim(), [&](Value column, Value mask) {
      Value panel = b.CreateUDiv(column, k.I64(kLanes));
      cache.StoreValues(values, position, panel, k.Load(k.Element(value, column, 4), mask));
    });
  });
}

}  // namespace weft::codegen
