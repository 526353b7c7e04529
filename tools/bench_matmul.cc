#include "tools/bench_matmul.h"

#include <algorithm>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "codegen/compiler.h"
#include "codegen/jit.h"
#include "codegen/layout.h"
#include "codegen/roof_reader.h"
#include "runtime/anonymous_memory.h"
#include "runtime/base/cpu.h"
#include "runtime/base/status_macros.h"
#include "runtime/unit_shares.h"
#include "tools/bench_roof.h"
#include "tools/bench_stats.h"

namespace weft::tools {
namespace {

using codegen::KernelSpec;

// Weights come from memory: copies are used in turn until they are at least this large together,
// several times the largest last-level cache share that a machine of few cores has.
constexpr int64_t kFootprint = int64_t{512} << 20;
constexpr char kKernelName[] = "matmul";
// What a worker takes at once, as schedule has it (passes/schedule.cc).
constexpr int64_t kGrainBytes = 64 << 10;

int64_t RoundUp(int64_t value, int64_t multiple) {
  return codegen::CeilDiv(value, multiple) * multiple;
}

KernelSpec SpecOf(const MatmulBenchOptions& shape) {
  const bool quantized = shape.format == DataType::kQ8_0;
  const ir::Dim rows = ir::Symbol::kTokens;
  KernelSpec spec{.node = {.op = ir::Op::kMatmul}};
  const int64_t input_stride =
      quantized ? codegen::ActivationSums(shape.k) + codegen::Blocks(shape.k) * 4 : shape.k * 4;
  spec.operands = {
      {{quantized ? DataType::kQ8A : DataType::kF32, {rows, shape.k}}, RoundUp(input_stride, 64)},
      {{shape.format, {shape.n, shape.k}, ir::Layout::kPanels16}, 0},
      {{DataType::kF32, {rows, shape.n}}, RoundUp(shape.n * 4, 64)}};
  spec.node.type = spec.operands[2].type;
  return spec;
}

// The kernel and the readers over the same pages, on the same workers.
class MatmulBench {
 public:
  static absl::StatusOr<std::unique_ptr<MatmulBench>> Create(const MatmulBenchOptions& options) {
    auto bench = std::make_unique<MatmulBench>();
    bench->options_ = options;
    WEFT_ASSIGN_OR_RETURN(const CpuFeatures cpu, UsableCpuFeatures());
    WEFT_ASSIGN_OR_RETURN(const codegen::Target target, codegen::ParseTarget(options.target, cpu));
    WEFT_RETURN_IF_ERROR(codegen::CheckExecutable(target, cpu));
    const KernelSpec spec = SpecOf(options);
    WEFT_ASSIGN_OR_RETURN(const codegen::Choice choice, codegen::ChooseEmitter(spec, target));
    const std::vector<codegen::NamedEmission> emissions = {
        {kKernelName, spec, choice.emitter->emit}};
    WEFT_ASSIGN_OR_RETURN(const std::vector<uint8_t> object,
                          codegen::CompileToObject(absl::MakeConstSpan(emissions), target));
    WEFT_ASSIGN_OR_RETURN(bench->jit_, codegen::Jit::Load(object));
    WEFT_ASSIGN_OR_RETURN(bench->kernel_, bench->jit_->Lookup(kKernelName));
    WEFT_ASSIGN_OR_RETURN(bench->roof_, RoofMeter::Create(options.threads));
    WEFT_RETURN_IF_ERROR(bench->Fill(spec));
    return bench;
  }

  MatmulBenchResult Run() {
    CallAll();
    std::vector<double> before = roof_->Round(weights_.data(), footprint());
    std::vector<double> means, roofs, shares, calls, reads;
    for (int round = 0; round < options_.rounds; ++round) {
      const std::vector<double> times = CallAll();
      std::vector<double> after = roof_->Round(weights_.data(), footprint());
      roofs.push_back(RoofMeter::BestRate(before, after, footprint()));
      means.push_back(Mean(times));
      shares.push_back(static_cast<double>(weight_bytes_) / means.back() / 1e9 / roofs.back());
      calls.insert(calls.end(), times.begin(), times.end());
      const std::vector<double> pieces = roof_->Pieces(weights_.data(), footprint(), copy_bytes_);
      reads.insert(reads.end(), pieces.begin(), pieces.end());
      before = std::move(after);
    }
    MatmulBenchResult result{.options = options_, .weight_bytes = weight_bytes_};
    result.options.threads = roof_->pool().size();
    result.seconds = Median(means);
    result.gb_per_s = static_cast<double>(weight_bytes_) / result.seconds / 1e9;
    result.roof_gb_per_s = Median(roofs);
    result.roof_share = Median(shares);
    result.gmac_per_s =
        static_cast<double>(options_.n * options_.k * options_.tokens) / result.seconds / 1e9;
    result.p99_over_p50 = Percentile(calls, 0.99) / Percentile(calls, 0.5);
    result.reader_p99_over_p50 = Percentile(reads, 0.99) / Percentile(reads, 0.5);
    return result;
  }

 private:
  int64_t footprint() const { return copies_ * copy_bytes_; }

  // Seconds of a call with each copy of the weights. Workers take units as an executor's do: each
  // streams through a part of its own. Taken in turns from one counter, 64 KiB here and 64 KiB
  // there, memory gives even plain readers only two thirds.
  std::vector<double> CallAll() {
    const KernelContext context{.tokens = options_.tokens, .logit_rows = 1, .position = 0};
    const int workers = roof_->pool().size();
    const int64_t units = codegen::Panels(options_.n);
    const int64_t grain =
        workers == 1
            ? units
            : std::clamp<int64_t>(kGrainBytes / codegen::PanelBytes(options_.format, options_.k), 1,
                                  units);
    std::vector<UnitShare> shares(static_cast<size_t>(copies_ * workers));
    const auto shares_of = [&](int64_t copy) {
      return absl::MakeSpan(shares).subspan(static_cast<size_t>(copy * workers),
                                            static_cast<size_t>(workers));
    };
    for (int64_t copy = 0; copy < copies_; ++copy) DealShares(units, shares_of(copy));
    return TimeInTurns(roof_->pool(), copies_, [&](int64_t copy, int worker) {
      void* operands[] = {input_.data(), weights_.data() + copy * copy_bytes_, output_.data()};
      TakeShares(shares_of(copy), worker, grain,
                 [&](int64_t begin, int64_t end) { kernel_(&context, operands, begin, end); });
    });
  }

  absl::Status Fill(const KernelSpec& spec) {
    weight_bytes_ = codegen::Panels(options_.n) * codegen::PanelBytes(options_.format, options_.k);
    copy_bytes_ = RoundUp(weight_bytes_, 4096);
    copies_ = std::max<int64_t>(1, codegen::CeilDiv(kFootprint, copy_bytes_));
    WEFT_ASSIGN_OR_RETURN(weights_,
                          AnonymousMemory::Map(static_cast<uint64_t>(footprint()), "weights"));
    WEFT_ASSIGN_OR_RETURN(
        input_,
        AnonymousMemory::Map(static_cast<uint64_t>(options_.tokens * spec.operands[0].stride),
                             "activations"));
    WEFT_ASSIGN_OR_RETURN(
        output_, AnonymousMemory::Map(
                     static_cast<uint64_t>(options_.tokens * spec.operands[2].stride), "results"));
    // Bytes below 0x30 in every place keep f16 scales and f32 values finite and normal, and pages
    // differ from the zero page.
    uint32_t state = 1;
    const auto fill = [&state](const AnonymousMemory& memory) {
      for (uint64_t i = 0; i < memory.size(); ++i) {
        state = state * 1664525 + 1013904223;
        memory.data()[i] = static_cast<uint8_t>((state >> 24) % 0x30);
      }
    };
    fill(weights_);
    fill(input_);
    return absl::OkStatus();
  }

  MatmulBenchOptions options_;
  std::unique_ptr<codegen::Jit> jit_;
  KernelFn kernel_ = nullptr;
  std::unique_ptr<RoofMeter> roof_;
  AnonymousMemory weights_, input_, output_;
  int64_t weight_bytes_ = 0, copy_bytes_ = 0, copies_ = 0;
};

}  // namespace

absl::Status ParseMatmulShape(const std::string& text, MatmulBenchOptions* options) {
  const std::vector<std::string> parts = absl::StrSplit(text, ',');
  int64_t* const fields[] = {&options->n, &options->k, &options->tokens};
  if (parts.size() < 2 || parts.size() > 3)
    return absl::InvalidArgumentError("--matmul takes N,K or N,K,T");
  for (size_t i = 0; i < parts.size(); ++i) {
    constexpr int64_t kMost = 1 << 20;
    if (!absl::SimpleAtoi(parts[i], fields[i]) || *fields[i] < 1 || *fields[i] > kMost) {
      return absl::InvalidArgumentError(
          absl::StrCat("--matmul: '", parts[i], "' is no number from 1 to ", kMost));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<MatmulBenchResult> RunMatmulBench(const MatmulBenchOptions& options) {
  WEFT_ASSIGN_OR_RETURN(const std::unique_ptr<MatmulBench> bench, MatmulBench::Create(options));
  return bench->Run();
}

std::string MatmulBenchText(const MatmulBenchResult& result) {
  const MatmulBenchOptions& shape = result.options;
  return absl::StrFormat(
      "[%dx%d] x [%dx%d] %s, %d threads: %.3f ms, %.1f GB/s of weights, roof %.1f GB/s, share "
      "%.2f, %.1f GMAC/s, p99/p50 %.2f (of reading: %.2f)\n",
      shape.tokens, shape.k, shape.n, shape.k, Name(shape.format), shape.threads,
      result.seconds * 1e3, result.gb_per_s, result.roof_gb_per_s, result.roof_share,
      result.gmac_per_s, result.p99_over_p50, result.reader_p99_over_p50);
}

nlohmann::ordered_json MatmulBenchJson(const MatmulBenchResult& result) {
  const MatmulBenchOptions& shape = result.options;
  const auto tokens = static_cast<double>(shape.tokens);
  return {{"n", shape.n},
          {"k", shape.k},
          {"tokens", shape.tokens},
          {"format", std::string(Name(shape.format))},
          {"target", shape.target},
          {"threads", shape.threads},
          {"rounds", shape.rounds},
          {"seconds", result.seconds},
          {"weight_bytes", result.weight_bytes},
          {"tokens_per_s", tokens / result.seconds},
          {"bytes_per_token", static_cast<double>(result.weight_bytes) / tokens},
          {"gb_per_s", result.gb_per_s},
          {"roof_gb_per_s", result.roof_gb_per_s},
          {"roof_share", result.roof_share},
          {"gmac_per_s", result.gmac_per_s},
          {"p99_over_p50", result.p99_over_p50},
          {"reader_p99_over_p50", result.reader_p99_over_p50}};
}

}  // namespace weft::tools
