// Where kernels find keys and values in a layer's cache (codegen/layout.h), and how they read and
// write them in the format that it has.
//
// Reading gives F32 exactly: an F16 widened, or a quant times its block's F16 scale, whose product
// has at most 19 significant bits. Writing rounds as runtime/abi has it: F16 to nearest, ties to
// even; Q8_0 as QuantizeQ8_0.
#pragma once

#include <functional>

#include "codegen/kernel_builder.h"

namespace weft::codegen {

class KvCache {
 public:
  using Value = KernelBuilder::Value;
  using Values = KernelBuilder::Values;

  // 16 columns of a chunk's values; `scales` are of Q8_0, one for each position.
  struct ValuePanel {
    Value at = nullptr;
    Value scales = nullptr;
  };

  // The cache that is operand `operand` of the kernel.
  KvCache(KernelBuilder& k, int operand);

  int64_t heads() const { return heads_; }
  int64_t head_dim() const { return head_dim_; }
  // Panels of 16 columns that a head's values fill.
  int64_t column_panels() const;

  // Where a head's keys begin, and where its values do.
  Value KeysOf(Value head);
  Value ValuesOf(Value head);
  // The panel of keys with positions 16 · panel and on.
  Value KeyPanel(Value keys, Value panel);
  // Panel `column_panel` of the chunk that holds `position`.
  ValuePanel PanelOfValues(Value values, Value position, Value column_panel);

  // kOnce asks for what comes next in memory; kOften counts on the caches.
  enum class Reading : uint8_t { kOnce, kOften };
  // Loops over the columns d of a head, in order: body(d, 16 keys at column d of each panel,
  // carried).
  Values OverKeys(
      const Values& panels, Reading reading, const Values& initial,
      const std::function<Values(Value d, const Values& keys, const Values& carried)>& body);
  // Loops over positions [begin, end) of a chunk, counted from its start, in order: body(position,
  // 16 values of each panel, carried).
  Values OverValues(const std::vector<ValuePanel>& panels, Reading reading, Value begin, Value end,
                    const Values& initial,
                    const std::function<Values(Value position, const Values& values,
                                               const Values& carried)>& body);

  // Writes the key and the value of a position, head_dim floats each.
  void StoreKey(Value keys, Value position, Value key);
  void StoreValue(Value values, Value position, Value value);

 private:
  // Blocks of Q8_0: body(block, quants of its 32 columns as two vectors of i8, scale as F16).
  void OverBlocks(Value row,
                  const std::function<void(Value block, const Values& quants, Value scale)>& body);
  Value Read(Value at, Reading reading);
  Value LoadWide(Value at);
  llvm::Type* Half16();
  llvm::Type* Byte16();

  KernelBuilder& k_;
  DataType format_;
  int64_t context_, heads_, head_dim_;
  Value base_;
};

}  // namespace weft::codegen
