#include "frontends/iq_grids.h"

#include <gtest/gtest.h>

#include <set>

namespace weft {
namespace {

// Every entry is a point of its lattice, and no point stands twice. (The values are checked by
// dequantize_iq_test against the oracle's vectors.)
template <size_t N>
void ExpectLattice(const std::array<uint16_t, N>& grid, int bits, unsigned codes) {
  EXPECT_EQ(std::set<uint16_t>(grid.begin(), grid.end()).size(), N);
  for (const uint16_t entry : grid) {
    for (int shift = 0; shift < 16; shift += bits) {
      EXPECT_LT((entry >> shift) & ((1u << bits) - 1), codes) << entry;
    }
  }
}

TEST(IqGrids, EntriesAreDistinctPoints) {
  ExpectLattice(kIq2XxsGrid, 2, 3);
  ExpectLattice(kIq2XsGrid, 2, 3);
  ExpectLattice(kIq2SGrid, 2, 3);
  ExpectLattice(kIq1SGrid, 2, 3);
  ExpectLattice(kIq3XxsGrid, 4, 8);
  ExpectLattice(kIq3SGrid, 4, 8);
}

}  // namespace
}  // namespace weft
