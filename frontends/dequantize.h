// Values of model files as F32.
#pragma once

#include <cstdint>

#include "runtime/abi/data_type.h"

namespace weft {

// True for F32, F16, BF16, F64 and every block type of files.
bool CanDequantize(DataType type);

// Writes `values` values from consecutive blocks at `src` (any alignment). `values` is a multiple
// of the type's block and CanDequantize(type) holds. Equals the `gguf` Python package (gguf.quants)
// bit for bit; F64 is rounded to nearest. Any bytes are valid blocks; scales that are infinite or
// NaN in the file give infinite or NaN values.
void Dequantize(DataType type, const uint8_t* src, int64_t values, float* dst);

}  // namespace weft
