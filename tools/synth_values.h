// The values of weights that `weft synth` writes.
#pragma once

#include <cstdint>

#include "absl/types/span.h"
#include "runtime/abi/data_type.h"

namespace weft::tools {

// Value number i of a stream is a function of seed, stream and i alone, so that pieces of any size
// give the same tensor.
struct SynthStream {
  uint64_t seed = 0;
  uint64_t stream = 0;  // which tensor of the model
  float mean = 0;
  float deviation = 1;
};

// Writes values first, first + 1, … of the stream to `out`, as F32 or BF16 (`type`), as many as
// fill it. They come near the normal distribution: sums of four uniform 16-bit numbers, so none is
// further than 3.47 deviations from the mean. The generator is SplitMix64 (sampling/random.h),
// which reaches its i-th number in one step.
void FillSynth(const SynthStream& stream, int64_t first, DataType type, absl::Span<uint8_t> out);

}  // namespace weft::tools
