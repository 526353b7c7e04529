#include "runtime/loaded_plan.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/string_view.h>

#include <algorithm>

#include "runtime/base/cpu.h"
#include "runtime/base/status_macros.h"
#include "runtime/plan/checksum.h"
#include "runtime/plan/choose_target.h"

namespace weft {
namespace {

absl::Status AtPath(const Plan& plan, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(plan.path(), ": ", status.message()));
}

using Copy = std::shared_ptr<const std::string>;

// The bytes of a section, as they were when the plan was opened. In the file another process could
// change them after they were checked; and machine code and tables, unlike weights, lead out of
// bounds then.
absl::StatusOr<Copy> CopyOf(const Plan& plan, PlanSection kind, size_t index,
                            absl::string_view bytes) {
  auto copy = std::make_shared<const std::string>(bytes);
  const auto is_it = [&](const PlanEntry& entry) {
    return entry.kind == kind && entry.index == index && entry.checksum == Checksum::Of(*copy);
  };
  if (std::any_of(plan.sections().begin(), plan.sections().end(), is_it)) return copy;
  WEFT_RETURN_IF_ERROR(plan.CheckWhole());  // says it better
  return absl::DataLossError(absl::StrCat(
      plan.path(), ": the file was changed while it was opened (open it again once it is whole)"));
}

absl::StatusOr<std::shared_ptr<const Tokenizer>> ReadTokenizer(const Plan& plan) {
  if (plan.tokenizer().empty()) {
    return absl::NotFoundError(
        absl::StrCat(plan.path(), ": the plan has no tokenizer, since its model had none"));
  }
  WEFT_ASSIGN_OR_RETURN(const Copy image,
                        CopyOf(plan, PlanSection::kTokenizer, 0, plan.tokenizer()));
  WEFT_ASSIGN_OR_RETURN(Tokenizer tokenizer, Tokenizer::FromImage(*image, image, plan.path()));
  return std::make_shared<const Tokenizer>(std::move(tokenizer));
}

}  // namespace

absl::StatusOr<std::shared_ptr<const LoadedPlan>> LoadedPlan::Load(std::shared_ptr<const Plan> plan,
                                                                   const PlanLoadOptions& options) {
  std::shared_ptr<LoadedPlan> loaded(new LoadedPlan(std::move(plan)));
  const Plan& opened = *loaded->plan_;
  WEFT_ASSIGN_OR_RETURN(const CpuFeatures cpu, UsableCpuFeatures());
  WEFT_ASSIGN_OR_RETURN(loaded->target_,
                        ChooseTarget(opened.metadata(), options.target, cpu, opened.path()));
  if (options.lock) WEFT_RETURN_IF_ERROR(opened.weight_block()->Lock());
  if (options.huge_pages && !opened.weights().empty()) {
    // Where there is no memory for them, the file's pages serve as well, if more slowly.
    const Program& program = opened.program();
    auto copy = WeightCopy::Start(opened.weight_block(), options.lock,
                                  program.kv_bytes + program.arena_bytes);
    if (copy.ok()) loaded->copy_ = *std::move(copy);
  }
  const absl::Span<const uint8_t> mapped = opened.code(loaded->target_);
  WEFT_ASSIGN_OR_RETURN(const Copy image,
                        CopyOf(opened, PlanSection::kCode, loaded->target_,
                               {reinterpret_cast<const char*>(mapped.data()), mapped.size()}));
  auto code = CodeLibrary::Load(
      absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(image->data()), image->size()),
      options.code_folder);
  WEFT_RETURN_IF_ERROR(AtPath(opened, code.status()));
  loaded->code_ = *std::move(code);
  auto kernels = loaded->code_->KernelsOf(opened.program());
  WEFT_RETURN_IF_ERROR(AtPath(opened, kernels.status()));
  loaded->kernels_ = *std::move(kernels);
  loaded->tokenizer_ = ReadTokenizer(opened);
  if (!opened.chat_template().empty()) {
    WEFT_ASSIGN_OR_RETURN(const Copy text,
                          CopyOf(opened, PlanSection::kChatTemplate, 0, opened.chat_template()));
    loaded->chat_template_ = *text;
  }
  // Rather than what follows from it.
  WEFT_RETURN_IF_ERROR(opened.CheckWhole());
  if (!loaded->tokenizer_.ok() && !absl::IsNotFound(loaded->tokenizer_.status()))
    return loaded->tokenizer_.status();
  return loaded;
}

absl::StatusOr<std::unique_ptr<Executor>> LoadedPlan::NewExecutor(
    const ExecutorOptions& options) const {
  ExecutorOptions ours = options;
  ours.weight_copy = copy_.get();
  ours.weight_block = plan_->weight_block().get();
  return Executor::Create(plan_->program(), kernels_, plan_->weights().data(), ours);
}

const uint8_t* LoadedPlan::SettledWeights() const {
  if (copy_) copy_->Wait();
  return plan_->weights().data();
}

}  // namespace weft
