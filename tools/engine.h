// A model ready to run: program, linked kernels, weights in memory, executor, and what text needs.
// Made by compiling a model in this process or by opening a plan file.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "codegen/jit.h"
#include "frontends/model.h"
#include "ir/module.h"
#include "runtime/executor.h"
#include "runtime/loaded_plan.h"
#include "runtime/plan/plan.h"
#include "runtime/plan/plan_metadata.h"
#include "runtime/text/tokenizer.h"
#include "tools/compile_model.h"
#include "tools/digest_index.h"

namespace weft::tools {

using PackProgress = std::function<void(uint64_t done, uint64_t total)>;

struct EngineOptions {
  ExecutorOptions executor;
  PackProgress progress;  // while packing weights
  PlanLoadOptions plan;   // where it is one; of a model, `lock` alone
  bool perf_map = false;  // of a model: WritePerfMap (perf_map.h)
};

class Engine {
 public:
  // The compiled form of `model`, for one target; its weights are packed here.
  static absl::StatusOr<std::unique_ptr<Engine>> FromModel(const Model& model,
                                                           CompiledModel compiled,
                                                           const EngineOptions& options);
  static absl::StatusOr<std::unique_ptr<Engine>> FromPlan(std::shared_ptr<const Plan> plan,
                                                          const EngineOptions& options);

  Executor& executor() { return *executor_; }
  // Another executor over the same weights and code, with memory of its own for activations and
  // KV cache. The engine must outlive it.
  absl::StatusOr<std::unique_ptr<Executor>> NewExecutor(const ExecutorOptions& options) const;
  const Program& program() const { return executor_->program(); }
  // program().weight_bytes of them. Waits until they have moved to the pages that they shall have,
  // as measurements should.
  const uint8_t* SettledWeights() const;
  // The IR as the last pass left it; a plan's is read here.
  absl::StatusOr<ir::Module> Module() const;
  const PlanMetadata& metadata() const { return metadata_; }
  // Whose code runs.
  const std::string& target() const {
    return loaded_ ? loaded_->target().name : metadata_.targets[0].name;
  }
  // Of the plan file; empty where the model was compiled in this process.
  std::string plan_path() const { return loaded_ ? loaded_->plan().path() : ""; }
  // An error where a plan file was truncated while in use; what came from it then means nothing.
  absl::Status CheckWhole() const {
    return loaded_ ? loaded_->plan().CheckWhole() : absl::OkStatus();
  }
  // How it was compiled in this process; null of a plan.
  const CompiledModel* compiled() const { return compiled_ ? &*compiled_ : nullptr; }
  // An error where the model has none that is supported.
  absl::StatusOr<std::shared_ptr<const Tokenizer>> tokenizer() const { return tokenizer_; }
  const std::string& chat_template() const { return chat_template_; }  // empty: none

 private:
  Engine() : tokenizer_(absl::NotFoundError("no tokenizer")) {}

  std::shared_ptr<const LoadedPlan> loaded_;  // of a plan; else the next four
  std::optional<CompiledModel> compiled_;
  AnonymousMemory weights_;
  std::unique_ptr<codegen::Jit> jit_;
  std::vector<KernelFn> kernels_;
  std::unique_ptr<Executor> executor_;
  PlanMetadata metadata_;
  absl::StatusOr<std::shared_ptr<const Tokenizer>> tokenizer_;
  std::string chat_template_;
};

struct WritePlanOptions {
  PackProgress progress;  // while packing weights
  // Packed weights are copied from this earlier plan of the same files, where their layout is the
  // same, instead of packed again; null: none are.
  const Plan* reuse = nullptr;
  DigestIndex* digests = nullptr;             // for the model's files; null: all are read
  const std::atomic<bool>* cancel = nullptr;  // once set, writing soon ends with CancelledError
  // Not 0: weights go to side files of at most so many bytes (plan_writer.h).
  uint64_t split_bytes = 0;
  // Where set: sees the model's files, weights first, before the plan appears, which it does not
  // where this is an error.
  std::function<absl::Status(absl::Span<const PlanMetadata::SourceFile>)> check_source;
};

struct WritePlanReport {
  uint64_t reused_bytes = 0;
  std::string not_reused;  // why nothing of WritePlanOptions::reuse could be; empty: it could
};

// Writes a plan file: program, code and weights packed as they are written. What is reused changes
// no byte of it.
absl::StatusOr<WritePlanReport> WritePlan(const Model& model, const CompiledModel& compiled,
                                          const std::string& path,
                                          const WritePlanOptions& options = {});

}  // namespace weft::tools
