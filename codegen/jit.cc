#include "codegen/jit.h"

#include <mutex>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "llvm/ExecutionEngine/JITLink/JITLink.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/ExecutionEngine/Orc/ObjectLinkingLayer.h"
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

class Jit::SymbolList : public llvm::orc::ObjectLinkingLayer::Plugin {
 public:
  void modifyPassConfig(llvm::orc::MaterializationResponsibility& /*responsibility*/,
                        llvm::jitlink::LinkGraph& /*graph*/,
                        llvm::jitlink::PassConfiguration& config) override {
    config.PostFixupPasses.emplace_back([this](llvm::jitlink::LinkGraph& graph) {
      const std::lock_guard<std::mutex> lock(mutex_);
      for (const llvm::jitlink::Symbol* symbol : graph.defined_symbols()) {
        if (!symbol->hasName() || !symbol->isCallable()) continue;
        symbols_.push_back(
            {symbol->getName().str(), symbol->getAddress().getValue(), symbol->getSize()});
      }
      return llvm::Error::success();
    });
  }
  llvm::Error notifyFailed(llvm::orc::MaterializationResponsibility& /*r*/) override {
    return llvm::Error::success();
  }
  llvm::Error notifyRemovingResources(llvm::orc::JITDylib& /*dylib*/,
                                      llvm::orc::ResourceKey /*key*/) override {
    return llvm::Error::success();
  }
  void notifyTransferringResources(llvm::orc::JITDylib& /*dylib*/, llvm::orc::ResourceKey /*to*/,
                                   llvm::orc::ResourceKey /*from*/) override {}

  std::vector<JitSymbol> All() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return symbols_;
  }

  // Why linking failed, of which a lookup only says that it did.
  void Fail(llvm::Error error) {
    const std::lock_guard<std::mutex> lock(mutex_);
    absl::StrAppend(&reasons_, reasons_.empty() ? "" : "; ", llvm::toString(std::move(error)));
  }
  std::string reasons() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return reasons_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<JitSymbol> symbols_;
  std::string reasons_;
};

Jit::Jit(std::unique_ptr<llvm::orc::LLJIT> jit, std::shared_ptr<SymbolList> symbols)
    : symbols_(std::move(symbols)), jit_(std::move(jit)) {}
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
  auto list = std::make_shared<SymbolList>();
  (*jit)->getExecutionSession().setErrorReporter(
      [list](llvm::Error error) { list->Fail(std::move(error)); });
  if (auto* layer = llvm::dyn_cast<llvm::orc::ObjectLinkingLayer>(&(*jit)->getObjLinkingLayer()))
    layer->addPlugin(list);
  const llvm::StringRef bytes(reinterpret_cast<const char*>(object.data()), object.size());
  if (llvm::Error error = AddObjects({bytes, "weft-kernels"}, jit->get()))
    return ToStatus(std::move(error), "cannot load kernels");
  return std::unique_ptr<Jit>(new Jit(std::move(*jit), std::move(list)));
}

absl::StatusOr<KernelFn> Jit::Lookup(const std::string& name) const {
  auto address = jit_->lookup(name);
  if (!address) {
    const std::string reasons = symbols_->reasons();
    return ToStatus(address.takeError(), absl::StrCat("cannot link kernel '", name, "'",
                                                      reasons.empty() ? "" : ": ", reasons));
  }
  return address->toPtr<KernelFn>();
}

std::vector<JitSymbol> Jit::Symbols() const { return symbols_->All(); }

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
