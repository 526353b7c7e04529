// Where kernels find keys and values in a layer's cache (codegen/layout.h), and how they read them.
#pragma once

#include <functional>

#include "codegen/kernel_builder.h"

namespace weft::codegen {

class KvCache {
 public:
  using Value = KernelBuilder::Value;
  using Values = KernelBuilder::Values;

  // The cache that is operand `operand` of the kernel.
  KvCache(KernelBuilder& k, int operand);

  int64_t heads() const { return heads_; }
  int64_t head_dim() const { return head_dim_; }
  // Panels of 16 columns that a head's values fill.
  int64_t column_panels() const;

  // Where a head's keys begin: panels of 16 positions, PanelStride() bytes each.
  Value Keys(Value head);
  // Address of the panel with position 16 · panel.
  Value KeyPanel(Value keys, Value panel);
  // Where a head's values begin.
  Value ValuesOf(Value head);
  // Address of panel `column_panel` in the chunk that begins at position `chunk`, a multiple of 64.
  Value ValuePanel(Value values, Value chunk, Value column_panel);

  // Loops over the columns d of a head, in order: body(d, keys at column d of each panel, carried).
  Values OverKeys(
      const Values& panels, const Values& initial,
      const std::function<Values(Value d, const Values& keys, const Values& carried)>& body);
  // Loops over positions [begin, end) of a chunk, counted from its start, in order: body(position,
  // 16 values of each of the panels, carried).
  Values OverValues(const Values& panels, Value begin, Value end, const Values& initial,
                    const std::function<Values(Value position, const Values& values,
                                               const Values& carried)>& body);

  // Stores column d of the key at a position, and 16 columns of a value.
  void StoreKey(Value keys, Value position, Value d, Value key);
  void StoreValues(Value values, Value position, Value column_panel, Value columns);

 private:
  KernelBuilder& k_;
  int64_t context_, heads_, head_dim_;
  Value base_;
};

}  // namespace weft::codegen
