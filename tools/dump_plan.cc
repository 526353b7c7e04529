#include "tools/dump_plan.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "codegen/disassemble.h"
#include "runtime/base/cpu.h"
#include "runtime/base/status_macros.h"
#include "runtime/plan/choose_target.h"
#include "tools/dump_text.h"
#include "tools/json_text.h"
#include "tools/module_diff.h"
#include "tools/recompile_plan.h"
#include "tools/table.h"

namespace weft::tools {
namespace {

// The target whose code is looked at: none needs to run here for that.
absl::StatusOr<size_t> TargetOf(const Plan& plan, const std::string& name) {
  const CpuFeatures all(~uint64_t{0});
  WEFT_ASSIGN_OR_RETURN(const CpuFeatures cpu, UsableCpuFeatures());
  const bool any = name == "host";
  const absl::StatusOr<size_t> chosen =
      ChooseTarget(plan.metadata(), name, any ? cpu : all, plan.path());
  return any && !chosen.ok() ? 0 : chosen;
}

absl::StatusOr<RecompiledPlan> Recompile(const Plan& plan, const std::string& stage,
                                         const std::string& source) {
  if (source.empty()) {
    return absl::NotFoundError(absl::StrCat(
        plan.path(), ": the plan does not hold stage ", stage,
        "; name the model that it was compiled from with --source MODEL, or compile it with "
        "--record-stages, which keeps the IR of every stage"));
  }
  WEFT_ASSIGN_OR_RETURN(ir::Module imported, ImportSource(plan, source));
  return RecompilePlan(plan, std::move(imported));
}

// The texts of stages of the passes; compiles at most once.
absl::StatusOr<std::vector<std::string>> StageTexts(const Plan& plan, const std::string& source,
                                                    const std::vector<std::string>& wanted) {
  const std::vector<std::string>& stages = plan.metadata().stages;
  std::optional<RecompiledPlan> recompiled;
  std::vector<std::string> texts;
  for (const std::string& stage : wanted) {
    const auto found = std::ranges::find(stages, stage);
    if (found != stages.end()) {
      texts.emplace_back(plan.ir(static_cast<size_t>(found - stages.begin())));
      continue;
    }
    if (!recompiled) {
      WEFT_ASSIGN_OR_RETURN(recompiled, Recompile(plan, stage, source));
    }
    texts.push_back(recompiled->texts[stage]);
  }
  return texts;
}

absl::StatusOr<std::string> Disassembly(const Plan& plan, const PlanDump& dump) {
  WEFT_ASSIGN_OR_RETURN(const size_t target, TargetOf(plan, dump.target));
  const auto functions = codegen::Disassemble(plan.code(target));
  if (!functions.ok())
    return absl::Status(functions.status().code(),
                        absl::StrCat(plan.path(), ": ", functions.status().message()));
  absl::flat_hash_set<absl::string_view> kernels;  // other functions only call one of them
  for (const Step& step : plan.program().steps) kernels.insert(step.kernel);
  std::string text;
  std::vector<std::string> names;
  for (const codegen::DisassembledFunction& function : *functions) {
    if (!kernels.contains(function.name)) continue;
    names.push_back(function.name);
    if (absl::StrContains(function.name, dump.kernel))
      absl::StrAppend(&text, text.empty() ? "" : "\n", function.name, ":\n", function.text);
  }
  if (text.empty()) return NoKernel(dump.kernel, names);
  return text;
}

absl::StatusOr<std::string> Llvm(const Plan& plan, const PlanDump& dump) {
  WEFT_ASSIGN_OR_RETURN(const size_t index, TargetOf(plan, dump.target));
  WEFT_ASSIGN_OR_RETURN(const RecompiledPlan result, Recompile(plan, dump.stage, dump.source));
  WEFT_ASSIGN_OR_RETURN(const CpuFeatures cpu, UsableCpuFeatures());
  WEFT_ASSIGN_OR_RETURN(const codegen::Target target,
                        codegen::ParseTarget(plan.metadata().targets[index].name, cpu));
  const passes::PassOptions& pass = result.settings.pipeline.pass;
  WEFT_ASSIGN_OR_RETURN(
      const codegen::BuiltProgram built,
      codegen::BuildProgram(result.module, target,
                            {pass.max_tokens, pass.max_logit_rows, pass.context}));
  return CodeText(dump.stage, built.kernels, target, dump.kernel);
}

}  // namespace

absl::StatusOr<std::string> DumpPlanStage(const Plan& plan, const PlanDump& dump) {
  // Only code depends on it, but what is not there is not there.
  if (dump.target != "host") WEFT_RETURN_IF_ERROR(TargetOf(plan, dump.target).status());
  if (dump.stage == kProgramStage) return FormatProgram(plan.program(), {}, dump.format);
  if (dump.stage == kAsmStage) return Disassembly(plan, dump);
  if (dump.stage == kLlvmStage) return Llvm(plan, dump);
  WEFT_ASSIGN_OR_RETURN(const std::vector<std::string> texts,
                        StageTexts(plan, dump.source, {dump.stage}));
  if (dump.format == "text") return texts[0];
  WEFT_ASSIGN_OR_RETURN(const ir::Module module, ParseStage(plan, texts[0]));
  return FormatModule(module, dump.format, dump.expanded);
}

absl::StatusOr<std::string> DiffPlanStages(const Plan& plan, const std::string& previous,
                                           const std::string& stage, const std::string& source) {
  WEFT_ASSIGN_OR_RETURN(const std::vector<std::string> texts,
                        StageTexts(plan, source, {previous, stage}));
  WEFT_ASSIGN_OR_RETURN(const ir::Module before, ParseStage(plan, texts[0]));
  WEFT_ASSIGN_OR_RETURN(const ir::Module after, ParseStage(plan, texts[1]));
  return DiffModules(previous, before, stage, after);
}

std::string DumpSections(const Plan& plan, const std::string& format) {
  const PlanMetadata& metadata = plan.metadata();
  const auto file_bytes = static_cast<double>(plan.file()->bytes().size());
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  Table table({"section", "of", "offset", "bytes", "checksum", "share"});
  table.AlignRight({2, 3, 5});
  for (const PlanEntry& entry : plan.sections()) {
    const std::string of = entry.kind == PlanSection::kCode ? metadata.targets[entry.index].name
                           : entry.kind == PlanSection::kIr ? metadata.stages[entry.index]
                                                            : "";
    const std::string name(Name(entry.kind));
    const std::string checksum = absl::StrFormat("%016x", entry.checksum);
    const double share = static_cast<double>(entry.size) / file_bytes;
    table.Add({name, of, absl::StrCat(entry.offset), absl::StrCat(entry.size), checksum,
               absl::StrFormat("%.2f %%", 100 * share)});
    json.push_back({{"section", name},
                    {"of", of},
                    {"offset", entry.offset},
                    {"bytes", entry.size},
                    {"checksum", checksum},
                    {"share", share}});
  }
  return format == "json" ? JsonText(json, 2) + "\n" : table.ToString();
}

absl::StatusOr<std::string> DumpPlanMemory(const Plan& plan, const std::string& format) {
  std::optional<ir::Module> module;
  if (!plan.ir().empty()) {
    WEFT_ASSIGN_OR_RETURN(module, ParseStage(plan, std::string(plan.ir())));
  }
  return FormatMemory(plan.program(), module ? &*module : nullptr, format);
}

}  // namespace weft::tools
