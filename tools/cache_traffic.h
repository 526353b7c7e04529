// What attention reads of the KV cache.
#pragma once

#include <cstdint>
#include <vector>

#include "ir/module.h"

namespace weft::tools {

// Of one layer.
struct CachedLayer {
  double bytes_per_position = 0;  // keys and values
  int64_t window = 0;             // 0: all positions

  // Read by a run over `tokens` positions from `position` on: each position that any of them sees,
  // once.
  double BytesRead(int64_t position, int64_t tokens) const;
};

// In the order of the module's attention.
std::vector<CachedLayer> CachedLayersOf(const ir::Module& module);

// Bytes of a type, its symbolic dims taken as 1.
double BytesOf(const ir::Type& type);

}  // namespace weft::tools
