#include "tests/graphs/case_check.h"

#include <stdlib.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "codegen/compiler.h"
#include "codegen/pack/pack.h"
#include "ir/text.h"
#include "passes/pass_manager.h"
#include "passes/pipelines.h"
#include "runtime/anonymous_memory.h"
#include "runtime/base/status_macros.h"
#include "runtime/executor.h"
#include "runtime/session.h"
#include "tests/graphs/oracle.h"
#include "tests/graphs/plan_leg.h"
#include "tests/graphs/random_weights.h"

namespace weft::graphs {
namespace {

using absl::Status;
using absl::StatusOr;

Status Kind(absl::string_view kind, const Status& status) {
  if (status.ok()) return status;
  return absl::InternalError(absl::StrCat(kind, ": ", status.message()));
}

template <typename... Args>
Status Wrong(const Args&... args) {
  return absl::InternalError(absl::StrCat(args...));
}

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

std::string Describe(const Variant& variant) {
  return absl::StrCat(TierName(variant.tier), ", ", variant.threads, " threads, chunks of ",
                      variant.chunk, ", without [", absl::StrJoin(variant.disabled, ","), "]");
}

Status CheckText(const std::string& stage, const std::string& text) {
  const auto parsed = ir::Parse(text);
  if (!parsed.ok())
    return Wrong("text: what is printed after ", stage,
                 " does not parse: ", parsed.status().message());
  if (ir::Print(*parsed) == text) return absl::OkStatus();
  return Wrong("text: what is printed after ", stage, " parses to something else");
}

// First place in which logits differ.
std::string Difference(const std::vector<float>& a, const std::vector<float>& b, size_t vocab) {
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (std::bit_cast<uint32_t>(a[i]) != std::bit_cast<uint32_t>(b[i]))
      return absl::StrCat("logit ", i % vocab, " of position ", i / vocab, " is ", a[i], ", not ",
                          b[i]);
  }
  return absl::StrCat(a.size(), " logits, not ", b.size());
}

}  // namespace

// One case.
class CaseChecker::Run {
 public:
  Run(const GraphCase& graph_case, CaseChecker* checker)
      : case_(graph_case),
        checker_(*checker),
        stats_(checker->stats_),
        weights_(graph_case.module, graph_case.weights_seed) {}

  Status Check() {
    ++stats_.graphs;
    WEFT_RETURN_IF_ERROR(CheckText("import", ir::Print(case_.module)));
    WEFT_RETURN_IF_ERROR(CheckCut());
    auto expected = EvaluateImported(case_.module, case_.options, weights_, case_.tokens);
    if (!expected.ok()) return Kind("invalid", expected.status());
    expected_ = *std::move(expected);
    for (size_t i = 0; i < case_.variants.size(); ++i) {
      WEFT_RETURN_IF_ERROR(CheckVariant(case_.variants[i], /*first=*/i == 0));
    }
    return absl::OkStatus();
  }

 private:
  // Weights that are cut are the same numbers. The oracle begins behind this pass, which is not
  // optional.
  Status CheckCut() {
    ir::Module module = case_.module;
    const auto passes = passes::RunPipeline(
        passes::DefaultPipeline(), {.pass = case_.options, .stop_after = "cut-weights"}, &module);
    if (!passes.ok()) return Kind("invalid", passes.status());
    if (!passes->back().changed) return absl::OkStatus();
    ++stats_.cut;
    const auto whole = ir::Evaluate(case_.module, weights_, case_.tokens);
    const auto cut = ir::Evaluate(module, weights_, case_.tokens);
    if (!whole.ok()) return Kind("invalid", whole.status());
    if (!cut.ok()) return Kind("oracle", cut.status());
    if (SameBits((*whole)[0].floats, (*cut)[0].floats)) return absl::OkStatus();
    return Wrong("oracle: what cut-weights made does not evaluate to what the graph does: ",
                 Difference((*cut)[0].floats, (*whole)[0].floats,
                            static_cast<size_t>((*whole)[0].columns())));
  }

  Status CheckVariant(const Variant& variant, bool first) {
    ++stats_.variants;
    ++stats_
          .subsets[absl::StrCat(TierName(variant.tier), " ", absl::StrJoin(variant.disabled, ","))];
    WEFT_ASSIGN_OR_RETURN(ir::Module module, Lower(variant.disabled));
    WEFT_RETURN_IF_ERROR(CheckNumbers(variant, module));
    const ir::Module planned = module;
    if (checker_.sabotage_.kernels) checker_.sabotage_.kernels(&module);

    const codegen::Target target = TargetOf(variant.tier);
    const passes::PassOptions& options = case_.options;
    const auto built = codegen::BuildProgram(
        module, target, {options.max_tokens, options.max_logit_rows, options.context});
    if (!built.ok()) return Kind("compile", built.status());
    const auto kernels = checker_.kernels_.KernelsOf(*built, target);
    if (!kernels.ok()) return Kind("compile", kernels.status());
    const uint64_t bytes = built->program.weight_bytes;
    WEFT_ASSIGN_OR_RETURN(AnonymousMemory packed, AnonymousMemory::Map(bytes, "packed weights"));
    const auto report =
        codegen::PackWeights(module, weights_, absl::MakeSpan(packed.data(), bytes), {});
    if (!report.ok()) return Kind("compile", report.status());

    auto executor = Executor::Create(built->program, *kernels, packed.data(),
                                     {.threads = variant.threads, .debug_poison = variant.poison});
    if (!executor.ok()) return Kind("compile", executor.status());
    if (variant.poison) ++stats_.poisoned;
    WEFT_RETURN_IF_ERROR(RunExecutor(variant, executor->get()));
    if (first) {
      const StepCheckInput input{
          planned,      built->program,          *kernels, packed.data(), weights_,
          case_.tokens, StepChunk(variant.chunk)};
      WEFT_ASSIGN_OR_RETURN(const std::vector<float> logits, CheckSteps(input, &stats_.steps));
      WEFT_RETURN_IF_ERROR(SameAsFirst(variant, "step by step", logits));
    }
    if (!variant.plan) return absl::OkStatus();
    ++stats_.plans;
    return RunPlan(variant, module, *built, target);
  }

  // Each chunk evaluates attention over all before it: at most four of them.
  int64_t StepChunk(int64_t chunk) const {
    const auto tokens = static_cast<int64_t>(case_.tokens.size());
    return std::min(case_.options.max_logit_rows, std::max(chunk, (tokens + 3) / 4));
  }

  StatusOr<ir::Module> Lower(const std::vector<std::string>& disabled) {
    ++stats_.lowerings;
    ir::Module module = case_.module;
    Status text;
    passes::PipelineOptions options{.pass = case_.options, .disabled = disabled};
    options.check_unchanged = true;
    options.record = [&](absl::string_view stage, const std::string& printed) {
      if (text.ok()) text = CheckText(std::string(stage), printed);
    };
    const auto passes = passes::RunPipeline(passes::DefaultPipeline(), options, &module);
    if (!passes.ok()) return Kind("passes", passes.status());
    if (!text.ok()) return text;
    if (checker_.sabotage_.passes) checker_.sabotage_.passes(&module);
    return module;
  }

  Status CheckNumbers(const Variant& variant, const ir::Module& module) {
    const auto outputs = ir::Evaluate(module, weights_, case_.tokens);
    if (!outputs.ok()) return Kind("oracle", outputs.status());
    if (SameBits((*outputs)[0].floats, expected_[0].floats) &&
        (*outputs)[1].ints == expected_[1].ints) {
      return absl::OkStatus();
    }
    const auto vocab = static_cast<size_t>(expected_[0].columns());
    return Wrong("oracle: the module as lowered without [", absl::StrJoin(variant.disabled, ","),
                 "] does not evaluate to what the graph does: ",
                 Difference((*outputs)[0].floats, expected_[0].floats, vocab));
  }

  // Logits of all positions, then a prompt of which only the last is wanted.
  Status RunExecutor(const Variant& variant, Executor* executor) {
    const absl::string_view kind = variant.poison ? "poison" : "bits";
    Session session(executor);
    std::vector<float> logits;
    const Status ran = session.PrefillWithLogits(
        case_.tokens,
        [&](int64_t /*position*/, absl::Span<const float> row) {
          logits.insert(logits.end(), row.begin(), row.end());
          return absl::OkStatus();
        },
        variant.chunk);
    if (!ran.ok()) return Kind(kind, ran);
    WEFT_RETURN_IF_ERROR(SameAsFirst(variant, "all logits", logits));
    session.Reset();
    if (Status status = session.Prefill(case_.tokens, variant.chunk); !status.ok())
      return Kind(kind, status);
    const absl::Span<const float> last = session.Logits();
    const size_t before = logits.size() - last.size();
    if (std::memcmp(last.data(), logits.data() + before, last.size() * sizeof(float)) != 0)
      return Wrong("bits: the last logits differ where only they are wanted: ", Describe(variant));
    const auto highest = std::max_element(last.begin(), last.end()) - last.begin();
    if (session.Argmax() != highest)
      return Wrong("bits: argmax is ", session.Argmax(), ", not ", highest, ": ",
                   Describe(variant));
    return absl::OkStatus();
  }

  Status SameAsFirst(const Variant& variant, absl::string_view how,
                     const std::vector<float>& logits) {
    if (first_.empty()) first_ = logits;
    if (SameBits(logits, first_)) return absl::OkStatus();
    const auto vocab = static_cast<size_t>(expected_[0].columns());
    return Wrong("bits: ", how, " of ", Describe(variant), " differ from the first, ",
                 Describe(case_.variants[0]), ": ", Difference(logits, first_, vocab));
  }

  Status RunPlan(const Variant& variant, const ir::Module& module,
                 const codegen::BuiltProgram& built, const codegen::Target& target) {
    const auto logits = LogitsOfPlan(module, built, target, weights_, case_.tokens, variant);
    if (!logits.ok()) return Kind("plan", logits.status());
    return SameAsFirst(variant, "logits of the plan file", *logits);
  }

  const GraphCase& case_;
  CaseChecker& checker_;
  CheckStats& stats_;
  const RandomWeights weights_;
  std::vector<ir::Value> expected_;  // outputs of the graph itself
  std::vector<float> first_;         // logits of the first variant
};

Status CaseChecker::Check(const GraphCase& graph_case) { return Run(graph_case, this).Check(); }

}  // namespace weft::graphs
