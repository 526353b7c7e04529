// Converts a model's tensors to the packed weights of a planned module: the layouts of
// docs/architecture.md.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "codegen/pack/packed_weights.h"
#include "ir/module.h"
#include "ir/weight_reader.h"

namespace weft::codegen {

struct PackOptions {
  int threads = 1;
  // Called from the calling thread with bytes of packed weights done and in all.
  std::function<void(uint64_t done, uint64_t total)> progress;
  // Likewise, with bytes that are not touched again, of `weights` and of `earlier`: where they are
  // a file's, their pages may be dropped from memory.
  std::function<void(absl::Span<const uint8_t>)> release;
  // Where it holds what would be packed here, that is copied; null: nothing is.
  const PackedWeights* earlier = nullptr;
  // Once set, packing soon ends with CancelledError.
  const std::atomic<bool>* cancel = nullptr;
};

struct PackReport {
  uint64_t copied_bytes = 0;  // from PackOptions::earlier
};

// Fills `weights`, the space of weights from address 0, with what the module's `pack` and
// `rope_table` nodes hold. `weights` must come zeroed and reach to the end of the last of them.
// Needs memory for the largest transposed tensor in F32, and of the files and `weights` some 100 MB
// at a time. The result does not depend on the number of threads, nor on what is copied.
// DataLoss for a q8_0 weight of which a value is NaN or infinite, or a scale beyond F16's range;
// f32 weights hold whatever the file does.
absl::StatusOr<PackReport> PackWeights(const ir::Module& module, const ir::WeightReader& reader,
                                       absl::Span<uint8_t> weights, const PackOptions& options);

}  // namespace weft::codegen
