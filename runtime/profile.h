// Where the time of runs went, step by step.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/abi/program.h"

namespace weft {

// Totals of one step over runs. A step's time in a run is the wall time from the first worker's
// begin to the last worker's end; for steps that take turns on the same rows (StepGroup::kRows),
// the time of the worker that was busy with it longest.
struct StepProfile {
  int64_t calls = 0;
  int64_t total_ns = 0;
  int64_t min_ns = 0;
  int64_t max_ns = 0;
  int64_t weight_bytes = 0;  // streamed in all calls
  int64_t macs = 0;          // done in all calls

  void Add(int64_t ns, int64_t bytes, int64_t call_macs);
  double MeanNs() const;
  // Total over total time; 0 where no time was measured. Bytes per ns is 10^9 bytes per second.
  double GigabytesPerSecond() const;
  double GigamacsPerSecond() const;
};

struct Profile {
  int64_t runs = 0;
  int64_t total_ns = 0;            // wall time of the runs; the steps' sum tells what is not theirs
  std::vector<StepProfile> steps;  // as Program::steps
};

// Which rows each step's macs_per_row counts for, kTokens or kLogitRows. A matmul's units do not
// depend on its rows (extent kOne), so it has those of the step that wrote its input last; of
// kTokens where none did.
std::vector<Extent> MacRows(const Program& program);

}  // namespace weft
