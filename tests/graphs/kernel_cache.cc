#include "tests/graphs/kernel_cache.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "codegen/compiler.h"
#include "runtime/base/status_macros.h"

namespace weft::graphs {
namespace {

std::string KeyOf(const codegen::Kernel& kernel, const codegen::Target& target) {
  return absl::StrCat(target.name, " ", kernel.spec.Key());
}

}  // namespace

absl::StatusOr<std::vector<KernelFn>> KernelCache::KernelsOf(const codegen::BuiltProgram& built,
                                                             const codegen::Target& target) {
  std::vector<codegen::Kernel> missing;
  for (const codegen::Kernel& kernel : built.kernels) {
    if (!functions_.contains(KeyOf(kernel, target))) missing.push_back(kernel);
  }
  if (!missing.empty()) WEFT_RETURN_IF_ERROR(Compile(missing, target));
  used_ += static_cast<int64_t>(built.kernels.size());
  std::map<std::string, KernelFn> by_name;
  for (const codegen::Kernel& kernel : built.kernels)
    by_name[kernel.name] = functions_.at(KeyOf(kernel, target));
  std::vector<KernelFn> functions;
  for (const Step& step : built.program.steps) functions.push_back(by_name.at(step.kernel));
  return functions;
}

absl::Status KernelCache::Compile(const std::vector<codegen::Kernel>& kernels,
                                  const codegen::Target& target) {
  WEFT_ASSIGN_OR_RETURN(const std::vector<uint8_t> object,
                        codegen::CompileToObject(absl::MakeConstSpan(kernels), target));
  WEFT_ASSIGN_OR_RETURN(std::unique_ptr<codegen::Jit> jit, codegen::Jit::Load(object));
  for (const codegen::Kernel& kernel : kernels) {
    WEFT_ASSIGN_OR_RETURN(const KernelFn function, jit->Lookup(kernel.name));
    functions_[KeyOf(kernel, target)] = function;
  }
  compiled_ += static_cast<int64_t>(kernels.size());
  jits_.push_back(std::move(jit));
  return absl::OkStatus();
}

}  // namespace weft::graphs
