#include "tools/cache_traffic.h"

namespace weft::tools {

double CachedLayer::BytesRead(int64_t position, int64_t tokens) const {
  int64_t seen = position + tokens;
  if (window > 0 && position >= window) seen = window - 1 + tokens;
  return bytes_per_position * static_cast<double>(seen);
}

double BytesOf(const ir::Type& type) {
  const DataTypeInfo& info = GetInfo(type.dtype);
  double bytes = static_cast<double>(info.block_bytes) / info.block_values;
  for (const ir::Dim& dim : type.dims) {
    if (!dim.is_symbol()) bytes *= static_cast<double>(dim.value());
  }
  return bytes;
}

std::vector<CachedLayer> CachedLayersOf(const ir::Module& module) {
  std::vector<CachedLayer> layers;
  for (const ir::NodeId id : module.order()) {
    const ir::Node& node = module.node(id);
    if (node.op != ir::Op::kAttention) continue;
    layers.push_back({BytesOf(module.node(node.operands[1]).type), node.Int(ir::Attr::kWindow, 0)});
  }
  return layers;
}

}  // namespace weft::tools
