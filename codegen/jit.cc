#include "codegen/jit.h"

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Object/Archive.h"
#include "llvm/Support/TargetSelect.h"

namespace weft::codegen {
namespace {

absl::Status ToStatus(llvm::Error error, const std::string& what) {
  return absl::InternalError(absl::StrCat(what, ": ", llvm::toString(std::move(error))));
}

// One object, or all those of an archive, each a copy: JITLink wants them aligned.
llvm::Error AddObjects(llvm::MemoryBufferRef file, llvm::orc::LLJIT* jit) {
  const auto add = [jit](llvm::MemoryBufferRef object) {
    return jit->addObjectFile(
        llvm::MemoryBuffer::getMemBufferCopy(object.getBuffer(), object.getBufferIdentifier()));
  };
  if (!file.getBuffer().starts_with(llvm::object::ArchiveMagic)) return add(file);
  auto archive = llvm::object::Archive::create(file);
  if (!archive) return archive.takeError();
  llvm::Error error = llvm::Error::success();
  for (const llvm::object::Archive::Child& child : (*archive)->children(error)) {
    llvm::Expected<llvm::MemoryBufferRef> object = child.getMemoryBufferRef();
    if (!object) return llvm::joinErrors(std::move(error), object.takeError());
    if (llvm::Error added = add(*object))
      return llvm::joinErrors(std::move(error), std::move(added));
  }
  return error;
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
  const llvm::StringRef bytes(reinterpret_cast<const char*>(object.data()), object.size());
  if (llvm::Error error = AddObjects({bytes, "weft-kernels"}, jit->get()))
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
