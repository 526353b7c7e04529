// The packed weights of an earlier compilation, for another of the same files to copy what it would
// pack the same way.
#pragma once

#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "ir/module.h"

namespace weft::codegen {

class PackedWeights {
 public:
  // `module` is the planned module whose `pack` nodes stand in `weights`, which must outlive this.
  // Nodes that do not lie within `weights` are left out. That both were made from the same files,
  // and by a compiler with the same layouts, is for the caller to know.
  PackedWeights(const ir::Module& module, absl::Span<const uint8_t> weights);

  // What `pack` of `module` would be packed to: an earlier one had the same tensors, rows, format
  // and layout. Empty where there is none.
  absl::Span<const uint8_t> Find(const ir::Module& module, const ir::Node& pack) const;

 private:
  absl::flat_hash_map<std::string, absl::Span<const uint8_t>> packs_;  // by what they hold
};

}  // namespace weft::codegen
