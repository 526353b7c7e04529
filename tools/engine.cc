#include "tools/engine.h"

#include "absl/strings/str_cat.h"
#include "codegen/pack/pack.h"
#include "ir/text.h"
#include "passes/select_kv_format.h"
#include "runtime/base/cpu.h"
#include "runtime/base/status_macros.h"
#include "runtime/plan/plan_writer.h"
#include "runtime/plan/program_json.h"
#include "tools/version.h"

namespace weft::tools {
namespace {

absl::StatusOr<AnonymousMemory> PackedWeights(const Model& model, const CompiledModel& compiled,
                                              const PackProgress& progress) {
  const uint64_t bytes = compiled.built.program.weight_bytes;
  WEFT_ASSIGN_OR_RETURN(AnonymousMemory memory, AnonymousMemory::Map(bytes, "the packed weights"));
  WEFT_RETURN_IF_ERROR(codegen::PackWeights(compiled.module, *model.weights,
                                            absl::MakeSpan(memory.data(), bytes),
                                            {.threads = UsableCpus(), .progress = progress}));
  return memory;
}

}  // namespace

absl::Status Engine::Start(const Program& program, absl::Span<const uint8_t> object,
                           const ExecutorOptions& options) {
  WEFT_ASSIGN_OR_RETURN(jit_, codegen::Jit::Load(object));
  WEFT_ASSIGN_OR_RETURN(kernels_, jit_->KernelsOf(program));
  WEFT_ASSIGN_OR_RETURN(executor_, CreateExecutor(program, options));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Executor>> Engine::CreateExecutor(
    const Program& program, const ExecutorOptions& options) const {
  ExecutorOptions with_copy = options;
  with_copy.weight_copy = copy_.get();
  return Executor::Create(program, kernels_, plan_ ? plan_->weights().data() : weights_.data(),
                          with_copy);
}

absl::StatusOr<std::unique_ptr<Executor>> Engine::NewExecutor(
    const ExecutorOptions& options) const {
  return CreateExecutor(program(), options);
}

const uint8_t* Engine::SettledWeights() const {
  if (copy_) copy_->Wait();
  if (copy_ && copy_->ready() == copy_->size()) return copy_->data();
  return plan_ ? plan_->weights().data() : weights_.data();
}

absl::StatusOr<ir::Module> Engine::Module() const {
  if (module_) return *module_;
  return ir::Parse(plan_->ir());
}

absl::StatusOr<std::unique_ptr<Engine>> Engine::FromModel(const Model& model,
                                                          const CompiledModel& compiled,
                                                          const EngineOptions& options) {
  std::unique_ptr<Engine> engine(new Engine());
  WEFT_RETURN_IF_ERROR(codegen::CheckExecutable(compiled.target, DetectCpuFeatures()));
  WEFT_ASSIGN_OR_RETURN(engine->weights_, PackedWeights(model, compiled, options.progress));
  WEFT_RETURN_IF_ERROR(engine->Start(compiled.built.program, compiled.object, options.executor));
  engine->module_ = compiled.module;
  engine->metadata_ = DescribeModel(model, compiled);
  engine->tokenizer_ = model.tokenizer;
  engine->chat_template_ = model.text.chat_template;
  return engine;
}

absl::StatusOr<std::unique_ptr<Engine>> Engine::FromPlan(std::shared_ptr<const Plan> plan,
                                                         const EngineOptions& options) {
  std::unique_ptr<Engine> engine(new Engine());
  engine->plan_ = std::move(plan);
  const Plan& opened = *engine->plan_;
  const PlanMetadata& metadata = opened.metadata();
  WEFT_ASSIGN_OR_RETURN(codegen::Target target,
                        codegen::ParseTarget(metadata.target, DetectCpuFeatures()));
  target.required = metadata.cpu_features;
  if (absl::Status status = codegen::CheckExecutable(target, DetectCpuFeatures()); !status.ok()) {
    return absl::Status(status.code(), absl::StrCat(opened.path(), ": ", status.message()));
  }
  if (options.huge_pages && !opened.weights().empty()) {
    const auto offset =
        static_cast<uint64_t>(opened.weights().data() - opened.file()->bytes().data());
    // Where there is no memory for a copy, the map serves as well, if more slowly.
    auto copy = WeightCopy::Start(opened.file(), offset, opened.weights().size());
    if (copy.ok()) engine->copy_ = *std::move(copy);
  }
  WEFT_RETURN_IF_ERROR(engine->Start(opened.program(), opened.object(), options.executor));
  engine->metadata_ = metadata;
  engine->chat_template_ = std::string(opened.chat_template());
  if (!opened.tokenizer().empty()) {
    const absl::string_view text = opened.tokenizer();
    absl::StatusOr<Tokenizer> tokenizer =
        Tokenizer::FromJson({text.data(), text.size()}, opened.path());
    if (!tokenizer.ok()) return tokenizer.status();
    engine->tokenizer_ = std::make_shared<const Tokenizer>(*std::move(tokenizer));
  } else {
    engine->tokenizer_ = absl::NotFoundError(
        absl::StrCat(opened.path(), ": the plan has no tokenizer, since its model had none"));
  }
  return engine;
}

PlanMetadata DescribeModel(const Model& model, const CompiledModel& compiled) {
  PlanMetadata metadata;
  metadata.weft_version = kVersion;
  metadata.model = model.module.name;
  metadata.source = absl::StrCat(model.path, ", ", model.file_bytes, " bytes of weights");
  metadata.target = compiled.target.name;
  metadata.cpu_features = compiled.target.required;
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

absl::Status WritePlan(const Model& model, const CompiledModel& compiled, const std::string& path,
                       const PackProgress& progress) {
  WEFT_ASSIGN_OR_RETURN(std::unique_ptr<PlanWriter> writer, PlanWriter::Create(path));
  WEFT_RETURN_IF_ERROR(
      writer->AddSection(PlanSection::kProgram, ProgramToJson(compiled.built.program)));
  WEFT_RETURN_IF_ERROR(
      writer->AddSection(PlanSection::kMetadata, MetadataToJson(DescribeModel(model, compiled))));
  WEFT_RETURN_IF_ERROR(writer->AddSection(PlanSection::kIr, ir::Print(compiled.module)));
  if (model.tokenizer.ok())
    WEFT_RETURN_IF_ERROR(writer->AddSection(PlanSection::kTokenizer, (*model.tokenizer)->ToJson()));
  if (!model.text.chat_template.empty()) {
    WEFT_RETURN_IF_ERROR(writer->AddSection(PlanSection::kChatTemplate, model.text.chat_template));
  }
  WEFT_RETURN_IF_ERROR(
      writer->AddSection(PlanSection::kObject, absl::MakeConstSpan(compiled.object)));
  WEFT_ASSIGN_OR_RETURN(const AnonymousMemory weights, PackedWeights(model, compiled, progress));
  WEFT_RETURN_IF_ERROR(writer->BeginWeights());
  WEFT_RETURN_IF_ERROR(writer->AppendWeights(
      absl::MakeConstSpan(weights.data(), compiled.built.program.weight_bytes)));
  writer->EndWeights();
  return writer->Commit();
}

}  // namespace weft::tools
