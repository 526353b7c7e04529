#include "tools/bench_model.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/base/cpu.h"
#include "runtime/base/status_macros.h"
#include "runtime/sampling/random.h"
#include "tools/bench_roof.h"
#include "tools/bench_stats.h"
#include "tools/cache_traffic.h"
#include "tools/interrupt.h"
#include "tools/profile_table.h"

namespace weft::tools {
namespace {

// Steps of one size in a repetition of `st`, timed together: single steps of small models are as
// short as what else the machine does.
constexpr int64_t kStepsAtOnce = 8;

struct Traffic {
  double weight_bytes = 0;  // of a run, whatever its tokens
  std::vector<CachedLayer> layers;

  double CacheBytes(int64_t position, int64_t tokens) const {
    double bytes = 0;
    for (const CachedLayer& layer : layers) bytes += layer.BytesRead(position, tokens);
    return bytes;
  }
};

Traffic TrafficOf(const ir::Module& module, const Program& program) {
  Traffic traffic;
  for (const Step& step : program.steps)
    traffic.weight_bytes += static_cast<double>(step.weight_bytes);
  traffic.layers = CachedLayersOf(module);
  return traffic;
}

std::string WeightFormats(const ir::Module& module) {
  std::map<std::string, double> bytes;
  for (ir::NodeId id : module.order()) {
    const ir::Node& node = module.node(id);
    if (node.op != ir::Op::kMatmul) continue;
    for (ir::NodeId weight : module.OperandsOf(node).weights) {
      const ir::Type& type = module.node(weight).type;
      bytes[std::string(Name(type.dtype))] += BytesOf(type);
    }
  }
  std::vector<std::string> names;
  for (const auto& [name, size] : bytes) names.push_back(name);
  std::ranges::sort(names, [&](const auto& a, const auto& b) { return bytes[a] > bytes[b]; });
  return absl::StrJoin(names, "+");
}

std::string CacheFormat(const ir::Module& module) {
  for (ir::NodeId id : module.order()) {
    const ir::Node& node = module.node(id);
    if (node.op == ir::Op::kAttention)
      return std::string(Name(module.node(node.operands[1]).type.dtype));
  }
  return "none";
}

// One executor, with the tokens that tests start after.
class Runner {
 public:
  Runner(Executor* executor, int64_t batch) : executor_(executor), batch_(batch) {}

  // Seconds of one step over the next `tokens` random tokens.
  absl::StatusOr<double> Step(int64_t position, int64_t tokens, int64_t logit_rows) {
    ids_.resize(static_cast<size_t>(tokens));
    const auto vocab = static_cast<uint64_t>(executor_->program().vocab);
    for (int32_t& id : ids_) id = static_cast<int32_t>(random_.Next() % vocab);
    const auto start = std::chrono::steady_clock::now();
    WEFT_RETURN_IF_ERROR(executor_->Run(ids_, position, logit_rows));
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  // Seconds of `tokens` tokens in steps as large as the plan takes.
  absl::StatusOr<double> Prefill(int64_t position, int64_t tokens) {
    double seconds = 0;
    for (int64_t done = 0; done < tokens; done += batch_) {
      WEFT_ASSIGN_OR_RETURN(const double step,
                            Step(position + done, std::min(batch_, tokens - done), 1));
      seconds += step;
    }
    return seconds;
  }

  // Keys and values for `depth` positions, if they are not there yet. Later tests may overwrite
  // them: what they are takes no part in the times.
  absl::Status Fill(int64_t depth) {
    if (depth <= filled_) return absl::OkStatus();
    WEFT_RETURN_IF_ERROR(Prefill(filled_, depth - filled_).status());
    filled_ = depth;
    return absl::OkStatus();
  }

 private:
  Executor* executor_;
  int64_t batch_;
  int64_t filled_ = 0;
  Random random_{1};
  std::vector<int32_t> ids_;
};

int64_t LogitRows(const Program& program, int64_t tokens) {
  return std::min(tokens, program.max_logit_rows);
}

class ModelBench {
 public:
  ModelBench(const Engine& engine, const ModelBenchOptions& options, const Traffic& traffic)
      : engine_(engine),
        program_(engine.program()),
        options_(options),
        traffic_(traffic),
        mac_rows_(MacRows(program_)) {}

  absl::StatusOr<std::vector<BenchResult>> Run() {
    const CatchInterrupts catching;
    const std::vector<BenchTest> tests = options_.Tests();
    total_ = tests.size() * options_.threads.size() * static_cast<size_t>(options_.repetitions);
    for (int threads : options_.threads) {
      WEFT_ASSIGN_OR_RETURN(const std::unique_ptr<Executor> executor,
                            engine_.NewExecutor({.threads = threads, .cancel = InterruptFlag()}));
      WEFT_ASSIGN_OR_RETURN(roof_, RoofMeter::Create(threads));
      Runner runner(executor.get(), program_.max_tokens);
      const size_t first = results_.size();
      for (const BenchTest& test : tests) WEFT_RETURN_IF_ERROR(RunTest(test, threads, &runner));
      if (options_.profile) WEFT_RETURN_IF_ERROR(Profile(threads, first));
    }
    return std::move(results_);
  }

 private:
  void Report(const BenchTest& test, int threads) {
    if (options_.progress)
      options_.progress(absl::StrCat(test.Name(), ", ", threads, " threads"), done_++, total_);
  }

  std::vector<double> Roof() { return roof_->Round(weights_, RoofBytes()); }
  int64_t RoofBytes() const { return static_cast<int64_t>(program_.weight_bytes); }

  absl::Status RunTest(const BenchTest& test, int threads, Runner* runner) {
    BenchResult result{.test = test, .threads = threads};
    result.in_cache = FitsInCaches(static_cast<int64_t>(traffic_.weight_bytes), threads);
    const auto tokens = static_cast<double>(test.tokens);
    WEFT_RETURN_IF_ERROR(runner->Fill(test.depth));
    WEFT_RETURN_IF_ERROR(WarmUp(test, runner, &result));
    result.bytes_per_token = Bytes(test) / tokens;
    std::vector<double> ratios;
    std::vector<double> before = Roof();
    for (int i = 0; i < options_.repetitions; ++i) {
      Report(test, threads);
      double one = 0;  // seconds of a step over one token, in this repetition
      if (test.kind == BenchKind::kStep) {
        WEFT_ASSIGN_OR_RETURN(one, Steps({.tokens = 1, .depth = test.depth}, runner, nullptr));
      }
      WEFT_ASSIGN_OR_RETURN(const double seconds, Once(test, runner, &result));
      std::vector<double> after = Roof();
      result.samples.push_back(tokens / seconds);
      result.roofs.push_back(RoofMeter::BestRate(before, after, RoofBytes()));
      const double rate = result.bytes_per_token * result.samples.back() / 1e9;
      result.roof_shares.push_back(result.roofs.back() > 0 ? rate / result.roofs.back() : 0);
      if (one > 0) ratios.push_back(seconds / one);
      before = std::move(after);
    }
    const double rate = Median(result.samples);
    result.gb_per_s = result.bytes_per_token * rate / 1e9;
    result.gmac_per_s = Macs(test) / tokens * rate / 1e9;
    result.ratio_to_one = Median(ratios);
    results_.push_back(std::move(result));
    return absl::OkStatus();
  }

  // What the first run pays for is not part of the samples.
  absl::Status WarmUp(const BenchTest& test, Runner* runner, BenchResult* result) {
    if (test.kind == BenchKind::kPrompt) return runner->Prefill(test.depth, test.tokens).status();
    const int64_t tokens = test.kind == BenchKind::kStep ? test.tokens : 1;
    WEFT_ASSIGN_OR_RETURN(const double seconds,
                          runner->Step(test.depth, tokens, LogitRows(program_, tokens)));
    result->first_step_ms = seconds * 1e3;
    return absl::OkStatus();
  }

  // Seconds of one repetition; of st, of one step.
  absl::StatusOr<double> Once(const BenchTest& test, Runner* runner, BenchResult* result) const {
    switch (test.kind) {
      case BenchKind::kPrompt:
        return runner->Prefill(test.depth, test.tokens);
      case BenchKind::kStep:
        return Steps(test, runner, &result->step_ms);
      case BenchKind::kGenerate:
        break;
    }
    double sum = 0;
    for (int64_t i = 0; i < test.tokens; ++i) {
      WEFT_ASSIGN_OR_RETURN(const double seconds, runner->Step(test.depth + i, 1, 1));
      result->step_ms.push_back(seconds * 1e3);
      sum += seconds;
    }
    return sum;
  }

  // Mean seconds of a step over the test's tokens, logits for each of them.
  absl::StatusOr<double> Steps(const BenchTest& test, Runner* runner,
                               std::vector<double>* step_ms) const {
    double sum = 0;
    for (int64_t i = 0; i < kStepsAtOnce; ++i) {
      WEFT_ASSIGN_OR_RETURN(const double seconds, runner->Step(test.depth, test.tokens,
                                                               LogitRows(program_, test.tokens)));
      if (step_ms != nullptr) step_ms->push_back(seconds * 1e3);
      sum += seconds;
    }
    return sum / static_cast<double>(kStepsAtOnce);
  }

  // The runs of a test: position and tokens of each.
  template <typename Fn>
  void ForEachRun(const BenchTest& test, Fn fn) const {
    const int64_t most = test.kind == BenchKind::kGenerate ? 1 : program_.max_tokens;
    for (int64_t done = 0; done < test.tokens; done += most)
      fn(test.depth + done, std::min(most, test.tokens - done));
  }

  double Bytes(const BenchTest& test) const {
    double bytes = 0;
    ForEachRun(test, [&](int64_t position, int64_t tokens) {
      bytes += traffic_.weight_bytes + traffic_.CacheBytes(position, tokens);
    });
    return bytes;
  }

  double Macs(const BenchTest& test) const {
    double macs = 0;
    ForEachRun(test, [&](int64_t /*position*/, int64_t tokens) {
      const int64_t logits = test.kind == BenchKind::kStep ? LogitRows(program_, tokens) : 1;
      for (size_t i = 0; i < program_.steps.size(); ++i) {
        const int64_t rows = mac_rows_[i] == Extent::kLogitRows ? logits : tokens;
        macs += static_cast<double>(program_.steps[i].macs_per_row * rows);
      }
    });
    return macs;
  }

  // Runs every test of these threads once more, on an executor that takes the time of each step.
  absl::Status Profile(int threads, size_t first) {
    WEFT_ASSIGN_OR_RETURN(
        const std::unique_ptr<Executor> executor,
        engine_.NewExecutor({.threads = threads, .profile = true, .cancel = InterruptFlag()}));
    Runner runner(executor.get(), program_.max_tokens);
    for (size_t i = first; i < results_.size(); ++i) {
      BenchResult& result = results_[i];
      BenchResult ignored;
      WEFT_RETURN_IF_ERROR(runner.Fill(result.test.depth));
      WEFT_RETURN_IF_ERROR(WarmUp(result.test, &runner, &ignored));
      executor->ResetProfile();
      WEFT_RETURN_IF_ERROR(Once(result.test, &runner, &ignored).status());
      const weft::Profile& profile = executor->profile();
      double matmuls = 0;
      for (const StepProfile& step : profile.steps)
        matmuls += step.macs > 0 ? static_cast<double>(step.time.total_ns()) : 0;
      result.outside_matmuls = 1 - matmuls / static_cast<double>(profile.total_ns);
      ProfileReport report = ReportFor(engine_, *executor);
      report.roofs.gb_per_s = Median(result.roofs);
      report.phases = {
          {.name = result.test.Name(), .profile = profile, .tokens = result.test.tokens}};
      result.trace = ProfileJson(report, ProfileBy::kOp).at("phases").at(0);
      result.trace_table = ProfileText(report, ProfileBy::kOp);
    }
    return absl::OkStatus();
  }

  const Engine& engine_;
  const uint8_t* const weights_ = engine_.SettledWeights();
  const Program& program_;
  const ModelBenchOptions& options_;
  const Traffic& traffic_;
  const std::vector<Extent> mac_rows_;
  std::unique_ptr<RoofMeter> roof_;
  std::vector<BenchResult> results_;
  uint64_t done_ = 0;
  uint64_t total_ = 0;
};

}  // namespace

std::string BenchTest::Name() const {
  const char* const prefix = kind == BenchKind::kPrompt     ? "pp"
                             : kind == BenchKind::kGenerate ? "tg"
                                                            : "st";
  std::string name = absl::StrCat(prefix, tokens);
  if (depth > 0) absl::StrAppend(&name, " @ d", depth);
  return name;
}

std::vector<BenchTest> ModelBenchOptions::Tests() const {
  std::vector<BenchTest> tests;
  for (int64_t depth : depths) {
    const auto add = [&](BenchKind kind, int64_t tokens) {
      if (tokens > 0) tests.push_back({kind, tokens, depth});
    };
    for (int64_t tokens : prompts) add(BenchKind::kPrompt, tokens);
    for (int64_t tokens : generations) add(BenchKind::kGenerate, tokens);
    for (int64_t tokens : steps) add(BenchKind::kStep, tokens);
  }
  return tests;
}

int64_t ModelBenchOptions::Context() const {
  int64_t most = 0;
  for (const BenchTest& test : Tests()) most = std::max(most, test.depth + test.tokens);
  return most;
}

absl::StatusOr<ModelBenchResult> RunModelBench(const Engine& engine,
                                               const ModelBenchOptions& options) {
  const Program& program = engine.program();
  WEFT_ASSIGN_OR_RETURN(const ir::Module module, engine.Module());
  const Traffic traffic = TrafficOf(module, program);
  ModelBenchResult result;
  result.model = {.name = engine.metadata().model,
                  .weights = WeightFormats(module),
                  .kv = CacheFormat(module),
                  .target = engine.target(),
                  .cpu = CpuModelName(),
                  .weight_bytes = static_cast<int64_t>(program.weight_bytes),
                  .streamed_bytes = static_cast<int64_t>(traffic.weight_bytes),
                  .batch = program.max_tokens};
  ModelBench bench(engine, options, traffic);
  WEFT_ASSIGN_OR_RETURN(result.tests, bench.Run());
  return result;
}

}  // namespace weft::tools
