#include "tools/bench_roof.h"

#include <algorithm>
#include <chrono>

#include "absl/strings/str_format.h"
#include "codegen/compiler.h"
#include "codegen/layout.h"
#include "codegen/roof_reader.h"
#include "codegen/target.h"
#include "runtime/base/cpu.h"
#include "runtime/base/status_macros.h"
#include "runtime/unit_shares.h"

namespace weft::tools {
namespace {

// A pass over less would end before the clock and the start of the workers fade from it: at 50 GB/s
// this takes 1.3 ms.
constexpr int64_t kLeastBytes = int64_t{64} << 20;

// Whole units of `bytes`, and how often a reader goes over them in a round.
int64_t Units(int64_t bytes) { return bytes / codegen::kReaderUnit; }
int64_t Repeats(int64_t units) {
  return units == 0 ? 0 : codegen::CeilDiv(kLeastBytes, units * codegen::kReaderUnit);
}

}  // namespace

absl::Status CheckRoofShare(double share) {
  if (share <= kMaxRoofShare) return absl::OkStatus();
  return absl::DataLossError(absl::StrFormat(
      "%.2f of the roof, above %.2f: no kernel reads faster than memory gives, so the roof was "
      "measured too low; run again on a quieter machine",
      share, kMaxRoofShare));
}

std::vector<double> TimeInTurns(WorkerPool& pool, int64_t count,
                                absl::FunctionRef<void(int64_t, int)> fn) {
  std::vector<double> seconds(static_cast<size_t>(count));
  pool.Run([&](int worker) {
    pool.Barrier();
    auto start = std::chrono::steady_clock::now();
    for (int64_t turn = 0; turn < count; ++turn) {
      fn(turn, worker);
      pool.Barrier();
      if (worker != 0) continue;
      const auto end = std::chrono::steady_clock::now();
      seconds[static_cast<size_t>(turn)] = std::chrono::duration<double>(end - start).count();
      start = end;
    }
  });
  return seconds;
}

bool FitsInCaches(int64_t bytes, int threads) {
  const CacheSizes caches = DetectCacheSizes();
  return bytes <= caches.l3 + caches.l2 * std::min(threads, UsableCpus());
}

absl::StatusOr<std::unique_ptr<RoofMeter>> RoofMeter::Create(int threads) {
  std::unique_ptr<RoofMeter> meter(new RoofMeter());
  WEFT_ASSIGN_OR_RETURN(const CpuFeatures cpu, UsableCpuFeatures());
  WEFT_ASSIGN_OR_RETURN(const codegen::Target host, codegen::ParseTarget("host", cpu));
  const std::vector<codegen::NamedEmission> readers = codegen::RoofReaders();
  WEFT_ASSIGN_OR_RETURN(const std::vector<uint8_t> object,
                        codegen::CompileToObject(absl::MakeConstSpan(readers), host));
  WEFT_ASSIGN_OR_RETURN(meter->jit_, codegen::Jit::Load(object));
  for (const codegen::NamedEmission& reader : readers) {
    WEFT_ASSIGN_OR_RETURN(KernelFn function, meter->jit_->Lookup(reader.name));
    meter->readers_.push_back(function);
  }
  meter->totals_.resize(meter->readers_.size());
  WEFT_ASSIGN_OR_RETURN(meter->pool_, WorkerPool::Create(threads));
  return meter;
}

double RoofMeter::Read(KernelFn reader, const uint8_t* data, int64_t units, int64_t repeats) {
  const auto start = std::chrono::steady_clock::now();
  pool_->Run([&](int worker) {
    alignas(64) uint8_t sink[64];
    void* operands[] = {const_cast<uint8_t*>(data), sink};  // readers do not write it
    const KernelContext context{.tokens = 1, .logit_rows = 1, .position = 0};
    const auto [begin, end] = PartOf(units, worker, pool_->size());
    for (int64_t i = 0; i < repeats; ++i) reader(&context, operands, begin, end);
  });
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::vector<double> RoofMeter::Round(const uint8_t* data, int64_t bytes) {
  const int64_t units = Units(bytes);
  std::vector<double> seconds;
  for (size_t i = 0; i < readers_.size(); ++i) {
    seconds.push_back(Read(readers_[i], data, units, Repeats(units)));
    totals_[i] += seconds.back();
  }
  return seconds;
}

std::vector<double> RoofMeter::Pieces(const uint8_t* data, int64_t bytes, int64_t piece) {
  const auto best = static_cast<size_t>(std::ranges::min_element(totals_) - totals_.begin());
  const int64_t units = std::max<int64_t>(Units(piece), 1);
  return TimeInTurns(*pool_, Units(bytes) / units, [&](int64_t turn, int worker) {
    alignas(64) uint8_t sink[64];
    void* operands[] = {const_cast<uint8_t*>(data), sink};  // readers do not write it
    const KernelContext context{.tokens = 1, .logit_rows = 1, .position = 0};
    const auto [begin, end] = PartOf(units, worker, pool_->size());
    readers_[best](&context, operands, turn * units + begin, turn * units + end);
  });
}

double RoofMeter::BestRate(const std::vector<double>& before, const std::vector<double>& after,
                           int64_t bytes) {
  const int64_t units = Units(bytes);
  const auto read = static_cast<double>(units * codegen::kReaderUnit * Repeats(units));
  double best = 0;
  for (size_t i = 0; i < before.size() && i < after.size(); ++i)
    best = std::max(best, 2 * read / (before[i] + after[i]) / 1e9);
  return best;
}

}  // namespace weft::tools
