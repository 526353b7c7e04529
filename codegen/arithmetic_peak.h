// How many multiply-adds a core of this machine does at most: the bound that prefill is measured
// against.
#pragma once

#include <cstdint>

#include "codegen/compiler.h"

namespace weft::codegen {

// A unit of these kernels is so many multiply-adds: long against the clock, short against a second.
inline constexpr int64_t kPeakUnitMacs = int64_t{1} << 24;

// Kernels that do nothing but the product instruction of a format's matmuls, in registers, as many
// of them at once as keep the multipliers busy: vpmaddwd or vpdpbusd for Q8_0, fused multiply-adds
// for F32. They write 64 bytes to operand 0. AMX has none: its peak is not known here.
NamedEmission ArithmeticPeak(DataType format);

}  // namespace weft::codegen
