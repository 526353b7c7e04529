// Readers of memory whose best is the roof that kernels are measured against: each takes the
// bitwise or of all words and does nothing else.
#pragma once

#include <vector>

#include "codegen/compiler.h"

namespace weft::codegen {

// A unit of every reader: reader(…, begin, end) reads bytes [begin, end) · kReaderUnit of operand 0
// and writes 64 bytes to operand 1.
inline constexpr int64_t kReaderUnit = 64 << 10;

// One for each of 32, 64 and 256 bytes an iteration and 1 to 4 streams: "read_64x2".
std::vector<NamedEmission> RoofReaders();

}  // namespace weft::codegen
