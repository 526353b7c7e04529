// What this machine can do at most: reading weights, and multiplying.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "codegen/target.h"
#include "tools/bench_roof.h"

namespace weft::tools {

struct Roofs {
  double gb_per_s = 0;  // of the best plain reader over the weights; 0: not measured
  // 10⁹ multiply-adds a second of all threads together, doing nothing else; 0: not measured.
  double gmac_per_s_q8_0 = 0;
  double gmac_per_s_f32 = 0;
};

// Takes about a second. The arithmetic peaks are the best that processes of this user have seen
// (peak_cache.h). `bytes` of weights at `weights` are read; kernels are of `target`, which this
// machine can execute.
absl::StatusOr<Roofs> MeasureRoofs(const uint8_t* weights, int64_t bytes,
                                   const codegen::Target& target, int threads);

}  // namespace weft::tools
