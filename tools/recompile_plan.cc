#include "tools/recompile_plan.h"

#include <algorithm>
#include <iostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "ir/text.h"
#include "passes/pass_manager.h"
#include "passes/pipelines.h"
#include "runtime/base/status_macros.h"
#include "runtime/version.h"
#include "tools/arguments.h"
#include "tools/plan_source.h"
#include "tools/recorded_options.h"

namespace weft::tools {
namespace {

absl::StatusOr<CompileSettings> SettingsOfPlan(const Plan& plan) {
  absl::StatusOr<CompileSettings> settings = ReadOptions(plan.metadata().options);
  if (settings.ok()) return settings;
  return absl::Status(settings.status().code(),
                      absl::StrCat(plan.path(), ": ", settings.status().message()));
}

}  // namespace

absl::StatusOr<ir::Module> ParseStage(const Plan& plan, const std::string& text) {
  absl::StatusOr<ir::Module> module = ir::Parse(text);
  if (module.ok()) return module;
  return absl::Status(module.status().code(),
                      absl::StrCat(plan.path(), ": IR: ", module.status().message()));
}

absl::StatusOr<std::optional<ir::Module>> RecordedImport(const Plan& plan) {
  const std::vector<std::string>& stages = plan.metadata().stages;
  const auto found = std::ranges::find(stages, passes::kImportStage);
  if (found == stages.end()) return std::nullopt;
  return ParseStage(plan, std::string(plan.ir(static_cast<size_t>(found - stages.begin()))));
}

absl::StatusOr<ir::Module> ImportSource(const Plan& plan, const std::string& source) {
  WEFT_ASSIGN_OR_RETURN(const CompileSettings settings, SettingsOfPlan(plan));
  WEFT_ASSIGN_OR_RETURN(const std::string path, ResolvePath(source));
  WEFT_ASSIGN_OR_RETURN(Model model, LoadModel(path, {.context = settings.pipeline.pass.context,
                                                      .tokenizer = false}));
  WEFT_RETURN_IF_ERROR(CheckSource(plan, model));
  return std::move(model.module);
}

absl::StatusOr<RecompiledPlan> RecompilePlan(const Plan& plan, ir::Module imported,
                                             std::function<void(passes::Remark)> remark) {
  RecompiledPlan result;
  WEFT_ASSIGN_OR_RETURN(result.settings, SettingsOfPlan(plan));
  passes::PipelineOptions& pipeline = result.settings.pipeline;
  if (pipeline.pass.context == 0) pipeline.pass.context = plan.program().context;
  result.module = std::move(imported);
  std::string last;
  pipeline.record = [&](absl::string_view name, std::string text) {
    last = text;
    result.texts[name] = std::move(text);
  };
  pipeline.pass.remark = std::move(remark);
  WEFT_RETURN_IF_ERROR(
      passes::RunPipeline(passes::DefaultPipeline(), pipeline, &result.module).status());
  pipeline.record = nullptr;
  pipeline.pass.remark = nullptr;
  if (last != plan.ir()) {
    std::cerr << "weft: note: weft " << plan.metadata().weft_version << " made " << plan.path()
              << ", and weft " << kVersion << " compiles the model to something else\n";
  }
  return result;
}

}  // namespace weft::tools
