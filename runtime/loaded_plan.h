// A plan ready to run: its machine code, weights and tokenizer in this process.
#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>
#include <vector>

#include "runtime/code_library.h"
#include "runtime/executor.h"
#include "runtime/plan/plan.h"
#include "runtime/text/tokenizer.h"
#include "runtime/weight_copy.h"

namespace weft {

struct PlanLoadOptions {
  // Move the weights to 2 MiB pages of this process, in the background; else they stay in the
  // file's pages, which processes share.
  bool huge_pages = true;
  // Read all weights at once, and keep them in memory.
  bool lock = false;
  // The name of one of the plan's targets; empty or "host": the best that this machine executes.
  std::string target;
  // For the machine code (code_library.h).
  std::string code_folder = CodeFolder();
};

class LoadedPlan {
 public:
  // Errors name the path: CPU features that each of the plan's targets needs and this machine
  // lacks, machine code that cannot be loaded, a damaged tokenizer, a limit of locked memory that
  // is too low.
  static absl::StatusOr<std::shared_ptr<const LoadedPlan>> Load(std::shared_ptr<const Plan> plan,
                                                                const PlanLoadOptions& options);

  const Plan& plan() const { return *plan_; }
  // The one whose machine code runs.
  const PlanMetadata::Target& target() const { return plan_->metadata().targets[target_]; }
  // An executor with memory of its own for activations and KV cache; the weights are shared. This
  // must outlive it.
  absl::StatusOr<std::unique_ptr<Executor>> NewExecutor(const ExecutorOptions& options) const;
  // NotFound where the model had none.
  const absl::StatusOr<std::shared_ptr<const Tokenizer>>& tokenizer() const { return tokenizer_; }
  // Empty where the model had none.
  const std::string& chat_template() const { return chat_template_; }
  // Waits until they have moved, as measurements should.
  const uint8_t* SettledWeights() const;

 private:
  explicit LoadedPlan(std::shared_ptr<const Plan> plan) : plan_(std::move(plan)) {}

  std::shared_ptr<const Plan> plan_;  // whose map holds the weights
  size_t target_ = 0;                 // index in the plan's
  std::unique_ptr<WeightCopy> copy_;  // moves the weights
  std::unique_ptr<CodeLibrary> code_;
  std::vector<KernelFn> kernels_;
  absl::StatusOr<std::shared_ptr<const Tokenizer>> tokenizer_ = absl::NotFoundError("");
  std::string chat_template_;
};

}  // namespace weft
