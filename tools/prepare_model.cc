#include "tools/prepare_model.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/base/status_macros.h"
#include "tools/digest_index.h"
#include "tools/engine.h"
#include "tools/interrupt.h"
#include "tools/plan_cache.h"
#include "tools/plan_key.h"
#include "tools/progress.h"

namespace weft::tools {
namespace {

absl::StatusOr<PreparedModel> CompileHere(const ModelArguments& arguments, const std::string& path,
                                          const CompileSettings& settings) {
  PreparedModel prepared;
  WEFT_ASSIGN_OR_RETURN(prepared.model, LoadModel(path, {.context = arguments.context}));
  const CatchInterrupts catching;
  WEFT_ASSIGN_OR_RETURN(prepared.compiled, CompileAsAsked(*prepared.model, arguments, settings));
  return prepared;
}

class CachedModel {
 public:
  CachedModel(const ModelArguments& arguments, PlanCache cache, const std::atomic<bool>* cancel)
      : arguments_(arguments), cache_(std::move(cache)), cancel_(cancel) {}

  absl::StatusOr<PreparedModel> Prepare(const std::string& path, const CompileSettings& settings) {
    absl::StatusOr<PlanKey> key = MakePlanKey(path, settings, arguments_.context, &digests_);
    // What is no model is told best by who loads it.
    if (!key.ok()) return CompileHere(arguments_, path, settings);
    key_ = *std::move(key);
    // What no fault of the moment is, but costs time at every start until it is mended.
    if (absl::Status saved = digests_.Save(); absl::IsPermissionDenied(saved))
      bar_.Note(absl::StrCat("the model's files are read at every start: ", saved.message()));
    absl::StatusOr<PlanPtr> plan = cache_.Find(key_);
    if (plan.ok() && *plan != nullptr) return PreparedModel{.plan = *std::move(plan)};
    const CatchInterrupts catching;
    const absl::StatusOr<FileLock> lock = cache_.Lock(
        key_,
        [this] {
          bar_.Note(
              absl::StrCat("another process is compiling ", arguments_.model, "; waiting for it"));
        },
        cancel_);
    if (!lock.ok()) {
      if (absl::IsCancelled(lock.status())) return lock.status();
      NoteNotKept(lock.status());
      return CompileHere(arguments_, path, settings);
    }
    // Where another process compiled it meanwhile, it is there now.
    plan = cache_.Find(key_);
    if (plan.ok() && *plan != nullptr) return PreparedModel{.plan = *std::move(plan)};
    if (!plan.ok()) bar_.Note(absl::StrCat("compiling again: ", plan.status().message()));
    return Compile(path, settings);
  }

 private:
  using PlanPtr = std::shared_ptr<const Plan>;

  absl::StatusOr<PreparedModel> Compile(const std::string& path, const CompileSettings& settings) {
    const auto start = std::chrono::steady_clock::now();
    WEFT_ASSIGN_OR_RETURN(PreparedModel prepared, CompileHere(arguments_, path, settings));
    // A plan could not tell why it has none.
    if (!prepared.model->tokenizer.ok()) return prepared;
    uint64_t reused_bytes = 0;
    absl::StatusOr<PlanPtr> plan = Write(prepared, &reused_bytes);
    // Without a plan, the weights would be packed once more, to the same end.
    if (absl::IsCancelled(plan.status()) || absl::IsDataLoss(plan.status())) return plan.status();
    if (!plan.ok()) {
      NoteNotKept(plan.status());
      return prepared;
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    bar_.Note(absl::StrFormat("compiled %s in %.1f s%s, kept for the next time (weft cache --help)",
                              arguments_.model, seconds.count(),
                              reused_bytes == 0
                                  ? ""
                                  : absl::StrCat(" with ", HumanBytes(reused_bytes),
                                                 " of weights from an earlier plan")));
    return PreparedModel{.plan = *std::move(plan)};
  }

  absl::StatusOr<PlanPtr> Write(const PreparedModel& prepared, uint64_t* reused_bytes) {
    WEFT_RETURN_IF_ERROR(cache_.Prepare(key_, prepared.compiled->program.weight_bytes));
    const PlanPtr related = cache_.FindRelated(key_);
    const WritePlanOptions options{
        .progress = [this](uint64_t done,
                           uint64_t total) { bar_.Update("packing weights", done, total); },
        .reuse = related.get(),
        .digests = &digests_,
        .cancel = cancel_,
        .check_source = [this](auto source) { return CheckKeyed(source); }};
    WEFT_ASSIGN_OR_RETURN(
        const WritePlanReport report,
        WritePlan(*prepared.model, *prepared.compiled, cache_.PathOf(key_), options));
    *reused_bytes = report.reused_bytes;
    return Plan::Open(cache_.PathOf(key_));
  }

  // An error where these are not the files of the key any more.
  absl::Status CheckKeyed(absl::Span<const PlanMetadata::SourceFile> source) const {
    size_t i = 0;
    for (const char* part : {"weights", "config"}) {
      for (const auto& file : key_.content[part]) {
        if (i < source.size() && source[i].name == file["name"].get<std::string>() &&
            source[i].sha256 == file["sha256"].get<std::string>()) {
          ++i;
          continue;
        }
        return Changed();
      }
    }
    return i == source.size() ? absl::OkStatus() : Changed();
  }

  absl::Status Changed() const {
    return absl::DataLossError(
        absl::StrCat(arguments_.model, ": its files were changed while it was compiled"));
  }

  void NoteNotKept(const absl::Status& status) {
    bar_.Note(absl::StrCat("the compiled model is not kept: ", status.message()));
  }

  const ModelArguments& arguments_;
  const PlanCache cache_;
  const std::atomic<bool>* const cancel_;
  ProgressBar bar_;
  DigestIndex digests_{DigestIndex::DefaultPath(), [this](const std::string& path) {
                         bar_.Update(absl::StrCat("reading ", path), 0, 0);
                       }};
  PlanKey key_;
};

}  // namespace

absl::StatusOr<PreparedModel> PrepareModel(const ModelArguments& arguments, int64_t logit_rows,
                                           const std::atomic<bool>* cancel) {
  WEFT_ASSIGN_OR_RETURN(const std::string path, ResolvePath(arguments.model));
  WEFT_ASSIGN_OR_RETURN(CompileSettings settings, SettingsOf(arguments));
  int64_t& rows = settings.pipeline.pass.max_logit_rows;
  rows = std::min(logit_rows, settings.pipeline.pass.max_tokens);
  settings.cancel = cancel;
  // What tells of compiling takes compiling.
  if (!arguments.cache || arguments.time_passes || !arguments.print_before.empty() ||
      !arguments.print_after.empty()) {
    return CompileHere(arguments, path, settings);
  }
  absl::StatusOr<PlanCache> cache = PlanCache::Default();
  if (!cache.ok()) {
    ProgressBar().Note(absl::StrCat("the compiled model is not kept: ", cache.status().message()));
    return CompileHere(arguments, path, settings);
  }
  WEFT_ASSIGN_OR_RETURN(const uint64_t most, cache->MaxBytes());
  if (most == 0) return CompileHere(arguments, path, settings);
  // One plan for all commands.
  rows = std::min(std::max(logit_rows, kLogitRows), settings.pipeline.pass.max_tokens);
  return CachedModel(arguments, *std::move(cache), cancel).Prepare(path, settings);
}

}  // namespace weft::tools
