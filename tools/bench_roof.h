// The memory roof: how fast this machine reads given pages with given threads, whatever it does
// with them.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "codegen/jit.h"
#include "runtime/abi/program.h"
#include "runtime/worker_pool.h"

namespace weft::tools {

// Seconds of fn(0, worker), fn(1, worker), … each begun by all workers when the one before is done,
// as an executor runs steps.
std::vector<double> TimeInTurns(WorkerPool& pool, int64_t count,
                                absl::FunctionRef<void(int64_t, int)> fn);

// A share of the roof above this says that the roof was measured too low: nothing streams faster
// than the best plain reader, and 2 % is what its rate varies by between rounds.
inline constexpr double kMaxRoofShare = 1.02;

// An error that says so, where `share` is above.
absl::Status CheckRoofShare(double share);

// Whether so many bytes may stay in the caches between steps, L3 and what the threads have of L2:
// then the roof is that of the caches.
bool FitsInCaches(int64_t bytes, int threads);

class RoofMeter {
 public:
  // Readers for this machine, each over all threads (codegen/roof_reader.h).
  static absl::StatusOr<std::unique_ptr<RoofMeter>> Create(int threads);

  // One round: seconds of each reader over the whole units (codegen::kReaderUnit) of `bytes` at
  // `data`, which is aligned to 64; small data is read several times.
  std::vector<double> Round(const uint8_t* data, int64_t bytes);

  // Of the best reader over two rounds of the same bytes, one before and one after what is measured
  // beside it: 10⁹ bytes per second, by total time. 0 for bytes that hold no unit.
  static double BestRate(const std::vector<double>& before, const std::vector<double>& after,
                         int64_t bytes);

  // Seconds of reading each `piece` bytes of `bytes` in turn, the threads meeting after each, by
  // the reader that was the best of the rounds so far. Pieces below a unit are read as one unit.
  std::vector<double> Pieces(const uint8_t* data, int64_t bytes, int64_t piece);

  WorkerPool& pool() { return *pool_; }

 private:
  RoofMeter() = default;
  // Seconds.
  double Read(KernelFn reader, const uint8_t* data, int64_t units, int64_t repeats);

  std::unique_ptr<codegen::Jit> jit_;
  std::vector<KernelFn> readers_;
  std::vector<double> totals_;  // seconds of each in all rounds
  std::unique_ptr<WorkerPool> pool_;
};

}  // namespace weft::tools
