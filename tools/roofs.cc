#include "tools/roofs.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "codegen/arithmetic_peak.h"
#include "codegen/jit.h"
#include "runtime/base/status_macros.h"
#include "tools/peak_cache.h"

namespace weft::tools {
namespace {

constexpr int kRounds = 4;
// 16 units are 3 ms at 90 GMAC/s: long enough for the workers' start to fade, and the best of some
// finds one in which nobody else used the CPUs.
constexpr int64_t kUnits = 16;
constexpr int kTries = 8;

double PeakOf(WorkerPool& pool, KernelFn kernel) {
  double best = 0;
  for (int i = 0; i < kTries; ++i) {
    const auto start = std::chrono::steady_clock::now();
    pool.Run([&](int /*worker*/) {
      alignas(64) uint8_t memory[64] = {};
      void* operands[] = {memory};
      const KernelContext context{.tokens = 1, .logit_rows = 1, .position = 0};
      kernel(&context, operands, 0, kUnits);
    });
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::max(
        best, static_cast<double>(kUnits * codegen::kPeakUnitMacs * pool.size()) / seconds / 1e9);
  }
  return best;
}

absl::StatusOr<ArithmeticPeaks> MeasurePeaks(const codegen::Target& target, WorkerPool& pool) {
  const std::vector<codegen::NamedEmission> emissions = {codegen::ArithmeticPeak(DataType::kQ8_0),
                                                         codegen::ArithmeticPeak(DataType::kF32)};
  WEFT_ASSIGN_OR_RETURN(const std::vector<uint8_t> object,
                        codegen::CompileToObject(absl::MakeConstSpan(emissions), target));
  WEFT_ASSIGN_OR_RETURN(const std::unique_ptr<codegen::Jit> jit, codegen::Jit::Load(object));
  ArithmeticPeaks peaks;
  // Tiles multiply faster than what is known here.
  if (target.tier != codegen::Tier::kAmxInt8) {
    WEFT_ASSIGN_OR_RETURN(KernelFn kernel, jit->Lookup(emissions[0].name));
    peaks.q8_0 = PeakOf(pool, kernel);
  }
  WEFT_ASSIGN_OR_RETURN(KernelFn kernel, jit->Lookup(emissions[1].name));
  peaks.f32 = PeakOf(pool, kernel);
  return peaks;
}

}  // namespace

absl::StatusOr<Roofs> MeasureRoofs(const uint8_t* weights, int64_t bytes,
                                   const codegen::Target& target, int threads) {
  Roofs roofs;
  WEFT_ASSIGN_OR_RETURN(const std::unique_ptr<RoofMeter> meter, RoofMeter::Create(threads));
  std::vector<double> before = meter->Round(weights, bytes);
  for (int round = 0; round < kRounds; ++round) {
    std::vector<double> after = meter->Round(weights, bytes);
    roofs.gb_per_s = std::max(roofs.gb_per_s, RoofMeter::BestRate(before, after, bytes));
    before = std::move(after);
  }
  PeakCache cache;
  const std::string key = PeakCache::MachineKey(target.name, threads);
  WEFT_ASSIGN_OR_RETURN(ArithmeticPeaks peaks, MeasurePeaks(target, meter->pool()));
  peaks = cache.Best(key, peaks);
  roofs.gmac_per_s_q8_0 = peaks.q8_0;
  roofs.gmac_per_s_f32 = peaks.f32;
  return roofs;
}

}  // namespace weft::tools
