// The grids of the IQ formats: part of those formats, as the `gguf` Python package has them
// (gguf/quants.py, grid_hex; there and here packed to 16 bits an entry). An entry of the 2-bit and
// ternary grids stands for 8 values of 2 bits, one of the 3-bit grids for 4 values of 4 bits, the
// first value in the lowest bits. The codes index these maps:
//   IQ2_*: {8, 25, 43}   IQ3_XXS: {4, 12, 20, 28, 36, 44, 52, 62}   IQ3_S: {1, 3, 5, 7, 9, 11, 13,
//   15}   IQ1_*: {-1, 0, 1}
#pragma once

#include <array>
#include <cstdint>

namespace weft {

extern const std::array<uint16_t, 256> kIq2XxsGrid;
extern const std::array<uint16_t, 512> kIq2XsGrid;
extern const std::array<uint16_t, 1024> kIq2SGrid;
extern const std::array<uint16_t, 256> kIq3XxsGrid;
extern const std::array<uint16_t, 512> kIq3SGrid;
extern const std::array<uint16_t, 2048> kIq1SGrid;  // IQ1_S and IQ1_M

}  // namespace weft
