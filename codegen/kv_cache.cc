#include "codegen/kv_cache.h"

#include "codegen/layout.h"

namespace weft::codegen {

using Value = KernelBuilder::Value;
using Values = KernelBuilder::Values;

namespace {

constexpr int64_t kVectorBytes = kLanes * 4;

}  // namespace

KvCache::KvCache(KernelBuilder& k, int operand)
    : k_(k),
      context_(k.spec().context),
      heads_(k.spec().operands[operand].type.dims[2].value()),
      head_dim_(k.spec().operands[operand].type.dims[3].value()),
      base_(k.Operand(operand)) {}

int64_t KvCache::column_panels() const { return Panels(head_dim_); }

Value KvCache::Keys(Value head) {
  return k_.Element(base_, head, KeyHeadBytes(context_, head_dim_));
}

Value KvCache::KeyPanel(Value keys, Value panel) {
  return k_.Element(keys, panel, KeyPanelBytes(head_dim_));
}

Value KvCache::ValuesOf(Value head) {
  return k_.Element(k_.Offset(base_, heads_ * KeyHeadBytes(context_, head_dim_)), head,
                    ValueHeadBytes(context_, head_dim_));
}

Value KvCache::ValuePanel(Value values, Value chunk, Value column_panel) {
  Value index = k_.ir().CreateUDiv(chunk, k_.I64(kChunk));
  Value first = k_.Element(values, index, column_panels() * ValuePanelBytes());
  return k_.Element(first, column_panel, ValuePanelBytes());
}

Values KvCache::OverKeys(const Values& panels, const Values& initial,
                         const std::function<Values(Value, const Values&, const Values&)>& body) {
  return k_.Loop(k_.I64(0), k_.I64(head_dim_), 1, initial, [&](Value d, const Values& carried) {
    Values keys;
    for (Value panel : panels) keys.push_back(k_.Load(k_.Element(panel, d, kVectorBytes)));
    return body(d, keys, carried);
  });
}

Values KvCache::OverValues(const Values& panels, Value begin, Value end, const Values& initial,
                           const std::function<Values(Value, const Values&, const Values&)>& body) {
  return k_.Loop(begin, end, 1, initial, [&](Value position, const Values& carried) {
    Values values;
    for (Value panel : panels) values.push_back(k_.Load(k_.Element(panel, position, kVectorBytes)));
    return body(position, values, carried);
  });
}

void KvCache::StoreKey(Value keys, Value position, Value d, Value key) {
  Value panel = KeyPanel(keys, k_.ir().CreateUDiv(position, k_.I64(kLanes)));
  Value lane = k_.Element(panel, k_.ir().CreateURem(position, k_.I64(kLanes)), 4);
  k_.ir().CreateStore(key, k_.Element(lane, d, kVectorBytes));
}

void KvCache::StoreValues(Value values, Value position, Value column_panel, Value columns) {
  Value panel = ValuePanel(values, position, column_panel);
  Value row = k_.ir().CreateURem(position, k_.I64(kChunk));
  k_.Store(columns, k_.Element(panel, row, kVectorBytes));
}

}  // namespace weft::codegen
