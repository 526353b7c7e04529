#include "passes/layout.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "runtime/abi/check.h"
#include "runtime/abi/q8_0.h"

namespace weft::passes {

using absl::StatusOr;
using ir::Attr;
using ir::Layout;
using ir::Module;
using ir::Node;
using ir::NodeId;
using ir::Op;
using ir::Symbol;
using ir::Type;

StatusOr<int64_t> Product(std::initializer_list<int64_t> factors) {
  int64_t product = 1;
  for (int64_t factor : factors) {
    if (__builtin_mul_overflow(product, factor, &product) || product > kMaxBytes)
      return absl::ResourceExhaustedError("a value is larger than any memory");
  }
  return product;
}

StatusOr<int64_t> PanelBytes(const Type& type) {
  WEFT_CHECK(type.layout != Layout::kRows && type.rank() == 2);
  const int64_t width = type.dims[1].value();
  return type.dtype == DataType::kQ8_0
             ? Product({DivideUp(width, kQ8BlockValues), kQ8PanelBlockBytes})
             : Product({width, kPanelRows, 4});
}

int64_t Panels(const Type& type) { return DivideUp(type.dims[0].value(), kPanelRows); }

StatusOr<int64_t> PackedBytes(const Type& type) {
  if (type.layout != Layout::kRows) {
    StatusOr<int64_t> panel = PanelBytes(type);
    if (!panel.ok()) return panel;
    return Product({Panels(type), *panel});
  }
  return Product({type.dims[0].value(), type.rank() == 2 ? type.dims[1].value() : 1, 4});
}

StatusOr<int64_t> RowStride(const Type& type) {
  const int64_t width = type.last().value();
  StatusOr<int64_t> bytes = Product({width, 4});
  if (type.dtype == DataType::kQ8A) {
    // int8 each, and for each block of 32 an F32 scale and an i32 sum
    const int64_t blocks = DivideUp(width, kQ8BlockValues);
    bytes = Product({blocks, kQ8BlockValues + 4 + 4});
  }
  if (!bytes.ok()) return bytes;
  return RoundUp(*bytes, kAlignment);
}

int64_t MaxRows(const Type& type, const PassOptions& options) {
  const ir::Dim& rows = type.dims[0];
  if (!rows.is_symbol()) return rows.value();
  WEFT_CHECK(rows.symbol() != Symbol::kCached);
  return rows.symbol() == Symbol::kTokens ? options.max_tokens : options.max_logit_rows;
}

StatusOr<int64_t> WorkspaceBytes(const ir::Node& attention, int64_t context) {
  const int64_t heads = attention.Int(Attr::kHeads);
  const int64_t head_dim = attention.type.last().value() / heads;
  int64_t spans = DivideUp(context, kSpanPositions);
  // What kSplitTokens tokens in a row see begins and ends within a span.
  if (attention.Has(Attr::kWindow))
    spans = std::min(spans, attention.Int(Attr::kWindow) / kSpanPositions + 3);
  return Product({kSplitTokens, spans, heads, RoundUp(head_dim, kPanelRows) + kPanelRows, 4});
}

StatusOr<int64_t> KvBytes(const Type& type, int64_t context) {
  const int64_t heads = type.dims[2].value();
  const int64_t head_dim = type.dims[3].value();
  const int64_t positions = RoundUp(context, kChunkPositions);
  if (type.dtype == DataType::kQ8_0) {
    const int64_t blocks = DivideUp(head_dim, kQ8BlockValues);
    return Product({2, heads, positions, blocks, kQ8BlockBytes});
  }
  const int64_t size = GetInfo(type.dtype).block_bytes;
  StatusOr<int64_t> keys = Product({heads, positions, head_dim, size});
  if (!keys.ok()) return keys;
  StatusOr<int64_t> values = Product({heads, positions, RoundUp(head_dim, kPanelRows), size});
  if (!values.ok()) return values;
  return RoundUp(*keys + *values, kAlignment);
}

StatusOr<int64_t> ResolveContext(const Module& module, const PassOptions& options) {
  int64_t limit = INT64_MAX;
  for (NodeId id : module.order()) {
    const Node& node = module.node(id);
    if (node.op == Op::kRopeTable) limit = std::min(limit, node.Int(Attr::kContext));
    if (node.op == Op::kEmbed && IsPositionTable(module, node))
      limit = std::min(limit, module.node(node.operands[1]).type.dims[0].value());
  }
  if (options.context == 0 && limit == INT64_MAX) {
    return absl::InvalidArgumentError(
        "the graph has no table of positions that limits the context; give one");
  }
  if (options.context > limit) {
    return absl::InvalidArgumentError(absl::StrCat("a context of ", options.context,
                                                   " is more than the ", limit,
                                                   " positions of the model's tables"));
  }
  return options.context == 0 ? limit : options.context;
}

bool IsPositionTable(const Module& module, const Node& embed) {
  const Node& ids = module.node(embed.operands[0]);
  return ids.op == Op::kInput && ids.String(Attr::kName) == "positions";
}

bool IsStep(const Node& node) {
  return node.op != Op::kInput && node.op != Op::kWeight && node.op != Op::kConcat &&
         node.op != Op::kPack && node.op != Op::kRopeTable && !node.Bool(Attr::kView);
}

}  // namespace weft::passes
