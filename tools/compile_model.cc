#include "tools/compile_model.h"

#include <chrono>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "codegen/compiler.h"
#include "passes/pipelines.h"
#include "passes/plan_memory.h"
#include "passes/select_kv_format.h"
#include "runtime/abi/check.h"
#include "runtime/base/cpu.h"
#include "runtime/base/status_macros.h"
#include "tools/layer_names.h"
#include "tools/recorded_options.h"
#include "tools/table.h"

namespace weft::tools {
namespace {

double MsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

std::string Megabytes(int64_t bytes) {
  return absl::StrFormat("%.1f MB", static_cast<double>(bytes) / 1e6);
}

}  // namespace

absl::StatusOr<CompiledModel> CompileModel(const Model& model, const CompileSettings& settings) {
  CompiledModel compiled;
  WEFT_ASSIGN_OR_RETURN(const CpuFeatures cpu, UsableCpuFeatures());
  WEFT_ASSIGN_OR_RETURN(std::vector<codegen::Target> targets,
                        codegen::ParseTargets(settings.target, cpu));
  compiled.imported = model.module;
  compiled.module = model.module;
  passes::PipelineOptions pipeline = settings.pipeline;
  pipeline.pass.context = model.context;

  compiled.options = RecordOptions(settings, model.context);
  if (settings.record_stages) {
    pipeline.record = [&compiled](absl::string_view stage, std::string text) {
      compiled.stages.push_back({std::string(stage), std::move(text)});
    };
  }
  auto start = std::chrono::steady_clock::now();
  WEFT_ASSIGN_OR_RETURN(compiled.passes,
                        passes::RunPipeline(passes::DefaultPipeline(), pipeline, &compiled.module));
  compiled.passes_ms = MsSince(start);
  compiled.decisions = passes::CollectDecisions(compiled.module);

  start = std::chrono::steady_clock::now();
  const codegen::ProgramLimits limits{pipeline.pass.max_tokens, pipeline.pass.max_logit_rows,
                                      model.context};
  for (codegen::Target& target : targets) {
    WEFT_ASSIGN_OR_RETURN(codegen::BuiltProgram built,
                          codegen::BuildProgram(compiled.module, target, limits));
    WEFT_ASSIGN_OR_RETURN(
        std::vector<uint8_t> object,
        codegen::CompileToObject(built, target, settings.cancel, settings.objects));
    WEFT_CHECK(compiled.codes.empty() || built.program == compiled.program);
    compiled.program = std::move(built.program);
    compiled.codes.push_back({std::move(target), std::move(built.kernels), std::move(object)});
  }
  compiled.codegen_ms = MsSince(start);
  return compiled;
}

std::string SummaryTable(const Model& model, const CompiledModel& compiled) {
  struct Row {
    int64_t count = 0;
    int64_t bytes = 0;
    const passes::FormatDecision* first = nullptr;
  };
  // Kinds in order of appearance; one kind may have several shapes or formats.
  std::vector<std::string> order;
  std::map<std::string, Row> rows;
  for (const passes::FormatDecision& decision : compiled.decisions) {
    if (decision.columns == 1) continue;
    const std::string kind =
        absl::StrCat(WithoutLayer(decision.location), "|", decision.rows, "|", decision.columns,
                     "|", Name(decision.format), "|", decision.why);
    auto [place, is_new] = rows.try_emplace(kind);
    if (is_new) order.push_back(kind);
    Row& row = place->second;
    if (row.first == nullptr) row.first = &decision;
    ++row.count;
    row.bytes += decision.bytes;
  }
  Table table({"weight", "count", "out x in", "file", "format", "size", "why"});
  table.AlignRight({1, 2, 5});
  for (const std::string& kind : order) {
    const Row& row = rows[kind];
    table.Add({WithoutLayer(row.first->location), absl::StrCat(row.count),
               absl::StrCat(row.first->rows, " x ", row.first->columns),
               std::string(Name(row.first->source)), std::string(Name(row.first->format)),
               Megabytes(row.bytes), row.first->why});
  }
  const passes::MemoryPlan memory = passes::Summary(compiled.module);
  const Program& program = compiled.program;
  const std::string targets = absl::StrJoin(
      compiled.codes, ", ",
      [](std::string* out, const CompiledCode& code) { out->append(code.target.name); });
  return absl::StrCat(
      table.ToString(),
      absl::StrFormat("\n%d steps, %d kernels for %s (%s); ", program.steps.size(),
                      compiled.codes[0].kernels.size(), targets, CpuModelName()),
      absl::StrFormat("passes %.0f ms, code %.0f ms\n", compiled.passes_ms, compiled.codegen_ms),
      "memory: weights ", Megabytes(memory.weight_bytes), ", KV cache ", Megabytes(memory.kv_bytes),
      " of ", Name(passes::KvFormat(compiled.module)), " for a context of ", model.context,
      ", activations ", Megabytes(memory.arena_bytes), " for ", program.max_tokens,
      " tokens at once (", Megabytes(memory.bytes_without_reuse), " without reuse)\n");
}

}  // namespace weft::tools
