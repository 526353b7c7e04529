#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>

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
#include "runtime/worker_pool.h"
#include "tools/commands.h"

namespace weft::tools {
namespace {

using codegen::KernelSpec;

struct BenchArguments {
  std::string matmul;
  std::string format = "q8_0";
  std::string target = "host";
  int threads = 0;
  int rounds = 15;
  bool json = false;
};

struct Shape {
  int64_t n = 0, k = 0, tokens = 1;
  DataType format = DataType::kQ8_0;
};

// Weights come from memory: copies are used in turn until they are at least this large together,
// several times the largest last-level cache share that a machine of few cores has.
constexpr int64_t kFootprint = int64_t{512} << 20;
constexpr char kKernelName[] = "matmul";

absl::StatusOr<Shape> ParseShape(const BenchArguments& arguments) {
  Shape shape;
  const std::vector<std::string> parts = absl::StrSplit(arguments.matmul, ',');
  int64_t* const fields[] = {&shape.n, &shape.k, &shape.tokens};
  if (parts.size() < 2 || parts.size() > 3)
    return absl::InvalidArgumentError("--matmul takes N,K or N,K,T");
  for (size_t i = 0; i < parts.size(); ++i) {
    constexpr int64_t kMost = 1 << 20;
    if (!absl::SimpleAtoi(parts[i], fields[i]) || *fields[i] < 1 || *fields[i] > kMost) {
      return absl::InvalidArgumentError(
          absl::StrCat("--matmul: '", parts[i], "' is no number from 1 to ", kMost));
    }
  }
  shape.format = arguments.format == "f32" ? DataType::kF32 : DataType::kQ8_0;
  return shape;
}

int64_t RoundUp(int64_t value, int64_t multiple) {
  return codegen::CeilDiv(value, multiple) * multiple;
}

KernelSpec SpecOf(const Shape& shape) {
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

double Median(std::vector<double> values) {
  std::ranges::sort(values);
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

// The kernel and the readers over the same pages, on the same workers.
class MatmulBench {
 public:
  static absl::StatusOr<std::unique_ptr<MatmulBench>> Create(const Shape& shape,
                                                             const BenchArguments& arguments) {
    auto bench = std::make_unique<MatmulBench>();
    bench->shape_ = shape;
    WEFT_ASSIGN_OR_RETURN(const codegen::Target target,
                          codegen::ParseTarget(arguments.target, DetectCpuFeatures()));
    WEFT_RETURN_IF_ERROR(codegen::CheckExecutable(target, DetectCpuFeatures()));
    const KernelSpec spec = SpecOf(shape);
    WEFT_ASSIGN_OR_RETURN(const codegen::Choice choice, codegen::ChooseEmitter(spec, target));
    std::vector<codegen::NamedEmission> emissions = codegen::RoofReaders();
    emissions.push_back({kKernelName, spec, choice.emitter->emit});
    WEFT_ASSIGN_OR_RETURN(const std::vector<uint8_t> object,
                          codegen::CompileToObject(absl::MakeConstSpan(emissions), target));
    WEFT_ASSIGN_OR_RETURN(bench->jit_, codegen::Jit::Load(object));
    for (const codegen::NamedEmission& emission : emissions) {
      WEFT_ASSIGN_OR_RETURN(KernelFn function, bench->jit_->Lookup(emission.name));
      if (emission.name == kKernelName) {
        bench->kernel_ = function;
      } else {
        bench->readers_.push_back(function);
      }
    }
    WEFT_ASSIGN_OR_RETURN(
        bench->pool_, WorkerPool::Create(arguments.threads > 0 ? arguments.threads : UsableCpus()));
    WEFT_RETURN_IF_ERROR(bench->Fill(spec));
    return bench;
  }

  int64_t weight_bytes() const { return weight_bytes_; }
  int threads() const { return pool_->size(); }

  // Seconds for the matmul over the next copy of the weights.
  double TimeKernel() {
    const KernelContext context{.tokens = shape_.tokens, .logit_rows = 1, .position = 0};
    void* operands[] = {input_.data(), weights_.data() + NextCopy() * copy_bytes_, output_.data()};
    return Time([&](int worker) {
      const auto [begin, end] = Share(codegen::Panels(shape_.n), worker);
      kernel_(&context, operands, begin, end);
    });
  }

  // Gigabytes per second of the best reader over as many bytes as all copies have.
  double Roof() {
    double best = 0;
    for (KernelFn reader : readers_) {
      const int64_t units = copies_ * copy_bytes_ / codegen::kReaderUnit;
      const KernelContext context{.tokens = 1, .logit_rows = 1, .position = 0};
      const double seconds = Time([&](int worker) {
        alignas(64) uint8_t sink[64];
        void* operands[] = {weights_.data(), sink};
        const auto [begin, end] = Share(units, worker);
        reader(&context, operands, begin, end);
      });
      best = std::max(best, static_cast<double>(units * codegen::kReaderUnit) / seconds / 1e9);
    }
    return best;
  }

  int64_t copies() const { return copies_; }

 private:
  absl::Status Fill(const KernelSpec& spec) {
    weight_bytes_ = codegen::Panels(shape_.n) * codegen::PanelBytes(shape_.format, shape_.k);
    copy_bytes_ = RoundUp(weight_bytes_, 4096);
    copies_ = std::max<int64_t>(1, codegen::CeilDiv(kFootprint, copy_bytes_));
    WEFT_ASSIGN_OR_RETURN(
        weights_, AnonymousMemory::Map(static_cast<uint64_t>(copies_ * copy_bytes_), "weights"));
    WEFT_ASSIGN_OR_RETURN(
        input_, AnonymousMemory::Map(static_cast<uint64_t>(shape_.tokens * spec.operands[0].stride),
                                     "activations"));
    WEFT_ASSIGN_OR_RETURN(
        output_, AnonymousMemory::Map(
                     static_cast<uint64_t>(shape_.tokens * spec.operands[2].stride), "results"));
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

  int64_t NextCopy() { return next_copy_++ % copies_; }

  std::pair<int64_t, int64_t> Share(int64_t units, int worker) const {
    return {units * worker / pool_->size(), units * (worker + 1) / pool_->size()};
  }

  double Time(const std::function<void(int)>& work) {
    const auto start = std::chrono::steady_clock::now();
    pool_->Run(work);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  Shape shape_;
  std::unique_ptr<codegen::Jit> jit_;
  KernelFn kernel_ = nullptr;
  std::vector<KernelFn> readers_;
  std::unique_ptr<WorkerPool> pool_;
  AnonymousMemory weights_, input_, output_;
  int64_t weight_bytes_ = 0, copy_bytes_ = 0, copies_ = 0, next_copy_ = 0;
};

absl::Status RunBench(const BenchArguments& arguments) {
  WEFT_ASSIGN_OR_RETURN(const Shape shape, ParseShape(arguments));
  WEFT_ASSIGN_OR_RETURN(const std::unique_ptr<MatmulBench> bench,
                        MatmulBench::Create(shape, arguments));
  for (int64_t i = 0; i < bench->copies(); ++i) bench->TimeKernel();
  bench->Roof();
  std::vector<double> seconds;
  std::vector<double> roofs;
  std::vector<double> shares;
  for (int round = 0; round < arguments.rounds; ++round) {
    roofs.push_back(bench->Roof());
    double total = 0;
    for (int64_t i = 0; i < bench->copies(); ++i) total += bench->TimeKernel();
    seconds.push_back(total / static_cast<double>(bench->copies()));
    shares.push_back(static_cast<double>(bench->weight_bytes()) / seconds.back() / 1e9 /
                     roofs.back());
  }
  const double time = Median(seconds);
  const double rate = static_cast<double>(bench->weight_bytes()) / time / 1e9;
  const double gmacs = static_cast<double>(shape.n * shape.k * shape.tokens) / time / 1e9;
  const double share = Median(shares);
  if (arguments.json) {
    const nlohmann::ordered_json json = {{"n", shape.n},
                                         {"k", shape.k},
                                         {"tokens", shape.tokens},
                                         {"format", std::string(Name(shape.format))},
                                         {"threads", bench->threads()},
                                         {"rounds", arguments.rounds},
                                         {"seconds", time},
                                         {"weight_bytes", bench->weight_bytes()},
                                         {"gb_per_s", rate},
                                         {"roof_gb_per_s", Median(roofs)},
                                         {"roof_share", share},
                                         {"gmac_per_s", gmacs}};
    std::cout << json.dump(2) << "\n";
  } else {
    std::cout << absl::StrFormat(
        "[%dx%d] x [%dx%d] %s, %d threads: %.3f ms, %.1f GB/s of weights, roof %.1f GB/s, share "
        "%.2f, %.1f GMAC/s\n",
        shape.tokens, shape.k, shape.n, shape.k, Name(shape.format), bench->threads(), time * 1e3,
        rate, Median(roofs), share, gmacs);
  }
  // A kernel cannot stream faster than memory: then the readers were held back, and the share says
  // nothing.
  if (shape.tokens == 1 && share > 1.02)
    return absl::DataLossError(
        "the kernel beat the roof, so the roof was measured too low; run again on a quieter "
        "machine");
  return absl::OkStatus();
}

}  // namespace

void AddBench(CLI::App* app, Command* chosen) {
  auto arguments = std::make_shared<BenchArguments>();
  CLI::App* command = app->add_subcommand(
      "bench", "time one matmul from memory, beside the fastest plain reader of the same pages");
  command
      ->add_option("--matmul", arguments->matmul, "out, in and tokens of the matmul (T default 1)")
      ->required()
      ->type_name("N,K[,T]");
  command->add_option("--format", arguments->format, "f32 or q8_0 (default q8_0)")
      ->check(CLI::IsMember({"f32", "q8_0"}))
      ->type_name("FORMAT");
  command
      ->add_option("--target", arguments->target, "host, x86-64-v3 or avx512-vnni (default host)")
      ->type_name("TARGET");
  command
      ->add_option("-t,--threads", arguments->threads,
                   "worker threads (default: the CPUs this process may use)")
      ->check(CLI::Range(1, 1024))
      ->type_name("N");
  command
      ->add_option("-r,--rounds", arguments->rounds,
                   "rounds of roof and kernel; medians are printed (default 15)")
      ->check(CLI::Range(1, 1000))
      ->type_name("N");
  command->add_flag("--json", arguments->json, "print JSON");
  command->callback(
      [arguments, chosen] { *chosen = [arguments] { return RunBench(*arguments); }; });
}

}  // namespace weft::tools
