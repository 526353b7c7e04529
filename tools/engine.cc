#include "tools/engine.h"

#include <future>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "codegen/link.h"
#include "codegen/pack/pack.h"
#include "codegen/pack/packed_weights.h"
#include "ir/text.h"
#include "passes/pipelines.h"
#include "passes/select_kv_format.h"
#include "runtime/abi/check.h"
#include "runtime/base/cpu.h"
#include "runtime/base/lock_memory.h"
#include "runtime/base/memory_room.h"
#include "runtime/base/status_macros.h"
#include "runtime/plan/plan_writer.h"
#include "runtime/plan/program_json.h"
#include "runtime/plan/weight_pages.h"
#include "runtime/version.h"
#include "tools/perf_map.h"
#include "tools/plan_source.h"

namespace weft::tools {
namespace {

// The packed weights of an earlier plan; an error says why they are of no use. The model's weight
// files come first in `source`.
absl::StatusOr<codegen::PackedWeights> PackedIn(const Plan& plan,
                                                absl::Span<const PlanMetadata::SourceFile> source,
                                                const Model& model) {
  for (const PlanMetadata::SourceFile& file : source.first(model.weight_files.size())) {
    if (!absl::c_linear_search(plan.metadata().source, file))
      return absl::FailedPreconditionError("it was compiled from other files");
  }
  if (plan.metadata().weft_version != kVersion)
    return absl::FailedPreconditionError(
        absl::StrCat("it is of weft ", plan.metadata().weft_version));
  WEFT_RETURN_IF_ERROR(plan.VerifyWeights());
  WEFT_ASSIGN_OR_RETURN(const ir::Module module, ir::Parse(plan.ir()));
  return codegen::PackedWeights(module, plan.weights());
}

// All that a plan says but its source and stages.
PlanMetadata Describe(const Model& model, const CompiledModel& compiled) {
  PlanMetadata metadata;
  metadata.weft_version = kVersion;
  metadata.model = model.module.name;
  for (const CompiledCode& code : compiled.codes)
    metadata.targets.push_back({code.target.name, code.target.required});
  metadata.options = compiled.options;
  metadata.eos_ids = model.text.eos_ids;
  metadata.bos_id = model.text.bos_id;
  const SamplingDefaults& sampling = model.text.sampling;
  const auto number = [&metadata](const char* name, const auto& value) {
    if (value) metadata.generation.push_back({name, static_cast<double>(*value)});
  };
  number("temperature", sampling.temperature);
  number("top_k", sampling.top_k);
  number("top_p", sampling.top_p);
  number("min_p", sampling.min_p);
  number("repetition_penalty", sampling.repetition_penalty);
  metadata.kv_format = std::string(Name(passes::KvFormat(compiled.module)));
  for (const passes::FormatDecision& decision : compiled.decisions) {
    metadata.decisions.push_back(
        {decision.location, std::string(Name(decision.format)), decision.why});
  }
  return metadata;
}

// Errors name the model, in whose weights the fault is.
absl::StatusOr<codegen::PackReport> Pack(const Model& model, const CompiledModel& compiled,
                                         absl::Span<uint8_t> weights,
                                         const codegen::PackOptions& options) {
  absl::StatusOr<codegen::PackReport> report =
      codegen::PackWeights(compiled.module, *model.weights, weights, options);
  const absl::Status& status = report.status();
  if (!absl::IsDataLoss(status) || absl::StartsWith(status.message(), model.path)) return report;
  return absl::Status(status.code(), absl::StrCat(model.path, ": ", status.message()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Executor>> Engine::NewExecutor(
    const ExecutorOptions& options) const {
  if (loaded_) return loaded_->NewExecutor(options);
  return Executor::Create(compiled_->program, kernels_, weights_.data(), options);
}

const uint8_t* Engine::SettledWeights() const {
  return loaded_ ? loaded_->SettledWeights() : weights_.data();
}

absl::StatusOr<ir::Module> Engine::Module() const {
  return loaded_ ? ir::Parse(loaded_->plan().ir()) : compiled_->module;
}

absl::StatusOr<std::unique_ptr<Engine>> Engine::FromModel(const Model& model,
                                                          CompiledModel compiled,
                                                          const EngineOptions& options) {
  std::unique_ptr<Engine> engine(new Engine());
  WEFT_CHECK(compiled.codes.size() == 1);
  const CompiledCode& code = compiled.codes[0];
  WEFT_ASSIGN_OR_RETURN(const CpuFeatures cpu, UsableCpuFeatures());
  WEFT_RETURN_IF_ERROR(codegen::CheckExecutable(code.target, cpu));
  const uint64_t bytes = compiled.program.weight_bytes;
  WEFT_RETURN_IF_ERROR(CheckMemoryRoom(
      bytes, absl::StrCat(model.path, ": the packed weights"),
      "weft compile makes a plan, whose weights need not all be in memory at once"));
  WEFT_ASSIGN_OR_RETURN(engine->weights_, AnonymousMemory::Map(bytes, "the packed weights"));
  WEFT_RETURN_IF_ERROR(Pack(model, compiled, absl::MakeSpan(engine->weights_.data(), bytes),
                            {.threads = UsableCpus(),
                             .progress = options.progress,
                             .cancel = options.executor.cancel})
                           .status());
  if (options.plan.lock) {
    WEFT_RETURN_IF_ERROR(
        LockMemory(absl::MakeConstSpan(engine->weights_.data(), bytes), model.path));
  }
  WEFT_ASSIGN_OR_RETURN(engine->jit_, codegen::Jit::Load(code.object));
  WEFT_ASSIGN_OR_RETURN(engine->kernels_, engine->jit_->KernelsOf(compiled.program));
  if (options.perf_map)
    WEFT_RETURN_IF_ERROR(WritePerfMap(compiled.program, engine->jit_->Symbols()));
  engine->metadata_ = Describe(model, compiled);
  engine->compiled_ = std::move(compiled);
  engine->tokenizer_ = model.tokenizer;
  engine->chat_template_ = model.text.chat_template;
  WEFT_ASSIGN_OR_RETURN(engine->executor_, engine->NewExecutor(options.executor));
  return engine;
}

absl::StatusOr<std::unique_ptr<Engine>> Engine::FromPlan(std::shared_ptr<const Plan> plan,
                                                         const EngineOptions& options) {
  std::unique_ptr<Engine> engine(new Engine());
  WEFT_ASSIGN_OR_RETURN(engine->loaded_, LoadedPlan::Load(std::move(plan), options.plan));
  engine->metadata_ = engine->loaded_->plan().metadata();
  engine->tokenizer_ = engine->loaded_->tokenizer();
  engine->chat_template_ = engine->loaded_->chat_template();
  WEFT_ASSIGN_OR_RETURN(engine->executor_, engine->NewExecutor(options.executor));
  return engine;
}

absl::StatusOr<WritePlanReport> WritePlan(const Model& model, const CompiledModel& compiled,
                                          const std::string& path,
                                          const WritePlanOptions& options) {
  WEFT_ASSIGN_OR_RETURN(std::unique_ptr<PlanWriter> writer,
                        PlanWriter::Create(path, options.split_bytes));
  WEFT_RETURN_IF_ERROR(writer->AddSection(PlanSection::kProgram, ProgramToJson(compiled.program)));
  // Hashing takes about as long as packing, and both wait for the same files.
  DigestIndex no_index("");
  DigestIndex* digests = options.digests != nullptr ? options.digests : &no_index;
  auto source = std::async(std::launch::async | std::launch::deferred,
                           [&model, digests] { return SourceOf(model, digests); });
  PlanMetadata metadata = Describe(model, compiled);
  if (compiled.stages.empty()) {
    metadata.stages = {passes::StageNames().back()};
    WEFT_RETURN_IF_ERROR(writer->AddSection(PlanSection::kIr, ir::Print(compiled.module)));
  }
  for (const RecordedStage& stage : compiled.stages) {
    const auto index = static_cast<uint32_t>(metadata.stages.size());
    WEFT_RETURN_IF_ERROR(writer->AddSection(PlanSection::kIr, stage.text, index));
    metadata.stages.push_back(stage.name);
  }
  if (model.tokenizer.ok())
    WEFT_RETURN_IF_ERROR(
        writer->AddSection(PlanSection::kTokenizer, (*model.tokenizer)->ToImage()));
  if (!model.text.chat_template.empty()) {
    WEFT_RETURN_IF_ERROR(writer->AddSection(PlanSection::kChatTemplate, model.text.chat_template));
  }
  for (uint32_t i = 0; i < compiled.codes.size(); ++i) {
    WEFT_ASSIGN_OR_RETURN(const std::vector<uint8_t> code,
                          codegen::LinkSharedObject(compiled.codes[i].object));
    WEFT_RETURN_IF_ERROR(writer->AddSection(PlanSection::kCode, absl::MakeConstSpan(code), i));
  }
  WritePlanReport report;
  std::optional<codegen::PackedWeights> earlier;
  if (options.reuse != nullptr) {
    WEFT_ASSIGN_OR_RETURN(metadata.source, source.get());
    absl::StatusOr<codegen::PackedWeights> packed =
        PackedIn(*options.reuse, metadata.source, model);
    if (packed.ok()) {
      earlier = *std::move(packed);
    } else {
      report.not_reused = std::string(packed.status().message());
    }
  }
  WEFT_ASSIGN_OR_RETURN(const absl::Span<uint8_t> weights,
                        writer->BeginWeights(compiled.program.weight_bytes));
  WEFT_ASSIGN_OR_RETURN(const codegen::PackReport packed,
                        Pack(model, compiled, weights,
                             {.threads = UsableCpus(),
                              .progress = options.progress,
                              .release = ReleasePages,
                              .earlier = earlier ? &*earlier : nullptr,
                              .cancel = options.cancel}));
  report.reused_bytes = packed.copied_bytes;
  WEFT_RETURN_IF_ERROR(writer->EndWeights());
  if (source.valid()) {
    WEFT_ASSIGN_OR_RETURN(metadata.source, source.get());
  }
  // What was hashed is what was packed.
  WEFT_RETURN_IF_ERROR(model.weights->CheckUnchanged());
  if (options.reuse != nullptr) WEFT_RETURN_IF_ERROR(options.reuse->CheckWhole());
  if (options.check_source) WEFT_RETURN_IF_ERROR(options.check_source(metadata.source));
  WEFT_RETURN_IF_ERROR(writer->AddSection(PlanSection::kMetadata, MetadataToJson(metadata)));
  // The files' digests may have taken longer than packing.
  if (options.cancel != nullptr && *options.cancel) return absl::CancelledError("interrupted");
  WEFT_RETURN_IF_ERROR(writer->Commit());
  return report;
}

}  // namespace weft::tools
