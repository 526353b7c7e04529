// Keys and values of a step's tokens join the cache, rounded to its format.
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
    const auto row = [&](int operand) {
      return k.Element(k.Row(operand, token), head, cache.head_dim() * 4);
    };
    cache.StoreKey(cache.KeysOf(head), position, row(0));
    cache.StoreValue(cache.ValuesOf(head), position, row(1));
  });
}

}  // namespace weft::codegen
