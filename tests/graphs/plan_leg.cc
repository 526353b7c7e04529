#include "tests/graphs/plan_leg.h"

#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "codegen/compiler.h"
#include "runtime/base/status_macros.h"
#include "runtime/loaded_plan.h"
#include "runtime/session.h"
#include "tools/engine.h"

namespace weft::graphs {
namespace {

class TemporaryFolder {
 public:
  static absl::StatusOr<std::unique_ptr<TemporaryFolder>> Create() {
    std::string path = (std::filesystem::temp_directory_path() / "weft-graph-XXXXXX").string();
    if (mkdtemp(path.data()) == nullptr)
      return absl::UnavailableError(absl::StrCat("cannot create a folder like ", path));
    return std::unique_ptr<TemporaryFolder>(new TemporaryFolder(std::move(path)));
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// The model's files are not there; what is written of a model comes from its weights.
class BorrowedWeights final : public ir::WeightReader {
 public:
  explicit BorrowedWeights(const ir::WeightReader& weights) : weights_(weights) {}
  absl::Status Read(const ir::SourceTensor& tensor, int64_t begin,
                    absl::Span<float> out) const override {
    return weights_.Read(tensor, begin, out);
  }
  absl::StatusOr<absl::Span<const uint8_t>> Raw(const ir::SourceTensor& tensor) const override {
    return weights_.Raw(tensor);
  }
  void Release(const ir::SourceTensor& tensor) const override { weights_.Release(tensor); }

 private:
  const ir::WeightReader& weights_;
};

}  // namespace

absl::StatusOr<std::vector<float>> LogitsOfPlan(
    const ir::Module& planned, const codegen::BuiltProgram& built, const codegen::Target& target,
    const ir::WeightReader& weights, absl::Span<const int32_t> tokens, const Variant& variant) {
  WEFT_ASSIGN_OR_RETURN(const std::unique_ptr<TemporaryFolder> folder, TemporaryFolder::Create());
  Model model{.module = planned,
              .context = built.program.context,
              .tokenizer = absl::NotFoundError("a random graph has none")};
  model.weights = std::make_unique<BorrowedWeights>(weights);
  tools::CompiledModel compiled{.module = planned, .program = built.program};
  WEFT_ASSIGN_OR_RETURN(std::vector<uint8_t> object, codegen::CompileToObject(built, target));
  compiled.codes.push_back({target, built.kernels, std::move(object)});
  const std::string path = folder->path() + "/graph.weft";
  WEFT_RETURN_IF_ERROR(tools::WritePlan(model, compiled, path).status());

  WEFT_ASSIGN_OR_RETURN(std::shared_ptr<const Plan> plan, Plan::Open(path));
  WEFT_RETURN_IF_ERROR(plan->VerifyWeights());
  WEFT_ASSIGN_OR_RETURN(
      const std::shared_ptr<const LoadedPlan> loaded,
      LoadedPlan::Load(std::move(plan), {.code_folder = folder->path() + "/code"}));
  WEFT_ASSIGN_OR_RETURN(const std::unique_ptr<Executor> executor,
                        loaded->NewExecutor({.threads = variant.threads}));
  Session session(executor.get());
  std::vector<float> logits;
  WEFT_RETURN_IF_ERROR(session.PrefillWithLogits(
      tokens,
      [&](int64_t /*position*/, absl::Span<const float> row) {
        logits.insert(logits.end(), row.begin(), row.end());
        return absl::OkStatus();
      },
      variant.chunk));
  return logits;
}

}  // namespace weft::graphs
