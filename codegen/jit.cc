#include "codegen/jit.h"

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/TargetSelect.h"

namespace weft::codegen {
namespace {

absl::Status ToStatus(llvm::Error error, const std::string& what) {
  return absl::InternalError(absl::StrCat(what, ": ", llvm::toString(std::move(error))));
}

}  // namespace

Jit::Jit(std::unique_ptr<llvm::orc::LLJIT> jit) : jit_(std::move(jit)) {}
Jit::~Jit() = default;

absl::StatusOr<std::unique_ptr<Jit>> Jit::Load(absl::Span<const uint8_t> object) {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
  auto jit = llvm::orc::LLJITBuilder().create();
  if (!jit) return ToStatus(jit.takeError(), "cannot start the JIT");
  auto symbols = llvm::orc::DynamicLibrarySearchGenerator::GetForCurrentProcess(
      (*jit)->getDataLayout().getGlobalPrefix());
  if (!symbols) return ToStatus(symbols.takeError(), "cannot see this process's symbols");
  (*jit)->getMainJITDylib().addGenerator(std::move(*symbols));
  auto buffer = llvm::MemoryBuffer::getMemBufferCopy(
      llvm::StringRef(reinterpret_cast<const char*>(object.data()), object.size()), "weft-kernels");
  if (llvm::Error error = (*jit)->addObjectFile(std::move(buffer)))
    return ToStatus(std::move(error), "cannot load kernels");
  return std::unique_ptr<Jit>(new Jit(std::move(*jit)));
}

absl::StatusOr<KernelFn> Jit::Lookup(const std::string& name) const {
  auto address = jit_->lookup(name);
  if (!address)
    return ToStatus(address.takeError(), absl::StrCat("cannot link kernel '", name, "'"));
  return address->toPtr<KernelFn>();
}

absl::StatusOr<std::vector<KernelFn>> Jit::KernelsOf(const Program& program) const {
  absl::flat_hash_map<std::string, KernelFn> found;
  std::vector<KernelFn> kernels;
  for (const Step& step : program.steps) {
    auto [place, is_new] = found.try_emplace(step.kernel, nullptr);
    if (is_new) {
      absl::StatusOr<KernelFn> kernel = Lookup(step.kernel);
      if (!kernel.ok()) return kernel.status();
      place->second = *kernel;
    }
    kernels.push_back(place->second);
  }
  return kernels;
}

}  // namespace weft::codegen
