#include "codegen/compiler.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "codegen/debug_lines.h"
#include "codegen/kernel_builder.h"
#include "codegen/step_thunks.h"
#include "codegen/worker_threads.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Object/ArchiveWriter.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include "runtime/abi/check.h"
#include "runtime/abi/program.h"
#include "runtime/base/cpu.h"

namespace weft::codegen {
namespace {

constexpr char kTriple[] = "x86_64-unknown-linux-gnu";

absl::StatusOr<std::unique_ptr<llvm::TargetMachine>> MakeMachine(const Target& target) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
  });
  std::string error;
  const llvm::Target* llvm_target = llvm::TargetRegistry::lookupTarget(kTriple, error);
  if (llvm_target == nullptr)
    return absl::InternalError(absl::StrCat("LLVM has no X86 target: ", error));
  llvm::TargetOptions options;
  // A product and a sum are one operation only where the emitter says fma.
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;
  std::unique_ptr<llvm::TargetMachine> machine(llvm_target->createTargetMachine(
      kTriple, target.cpu, target.features, options, llvm::Reloc::PIC_, llvm::CodeModel::Small,
      llvm::CodeGenOptLevel::Aggressive));
  if (machine == nullptr) return absl::InternalError("LLVM gives no machine for x86-64");
  return machine;
}

absl::Status Verify(const llvm::Module& module) {
  std::string problems;
  llvm::raw_string_ostream stream(problems);
  if (!llvm::verifyModule(module, &stream)) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("emitted LLVM IR is not valid: ", stream.str()));
}

std::string Text(const llvm::Module& module) {
  std::string text;
  llvm::raw_string_ostream out(text);
  module.print(out, nullptr);
  return text;
}

// A module on its way to machine code.
class Compilation {
 public:
  static absl::StatusOr<std::unique_ptr<Compilation>> Create(const Target& target) {
    absl::StatusOr<std::unique_ptr<llvm::TargetMachine>> machine = MakeMachine(target);
    if (!machine.ok()) return machine.status();
    return std::make_unique<Compilation>(target, *std::move(machine));
  }
  Compilation(const Target& target, std::unique_ptr<llvm::TargetMachine> machine)
      : target_(target), machine_(std::move(machine)), module_("weft", context_) {
    module_.setTargetTriple(kTriple);
    module_.setDataLayout(machine_->createDataLayout());
  }

  llvm::Module& module() { return module_; }
  llvm::TargetMachine& machine() { return *machine_; }

  absl::Status Emit(absl::Span<const NamedEmission> kernels) {
    for (const NamedEmission& kernel : kernels) {
      KernelBuilder builder(&module_, target_, kernel.spec, kernel.name);
      kernel.emit(builder);
      builder.Finish();
      // The rest is for what LLVM spills.
      constexpr int64_t kMostScratch = int64_t{kKernelStackBytes} * 7 / 8;
      if (builder.scratch_bytes() > kMostScratch) {
        return absl::UnimplementedError(
            absl::StrCat("kernel '", kernel.name, "' takes ", builder.scratch_bytes(),
                         " bytes of the stack, more than ", kMostScratch));
      }
    }
    return Verify(module_);
  }

  void Optimise() {
    llvm::LoopAnalysisManager loops;
    llvm::FunctionAnalysisManager functions;
    llvm::CGSCCAnalysisManager graph;
    llvm::ModuleAnalysisManager modules;
    llvm::PipelineTuningOptions tuning;
    // Emitters unroll what gains from it. LLVM's copies of inner loops run no faster, of tiles even
    // spill registers, and take a fifth of the time to compile.
    tuning.LoopUnrolling = false;
    llvm::PassBuilder builder(machine_.get(), tuning);
    builder.registerModuleAnalyses(modules);
    builder.registerCGSCCAnalyses(graph);
    builder.registerFunctionAnalyses(functions);
    builder.registerLoopAnalyses(loops);
    builder.crossRegisterProxies(loops, functions, graph, modules);
    builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2).run(module_, modules);
  }

  absl::StatusOr<std::string> File(llvm::CodeGenFileType type) {
    llvm::SmallVector<char, 0> bytes;
    llvm::raw_svector_ostream out(bytes);
    llvm::legacy::PassManager passes;
    if (machine_->addPassesToEmitFile(passes, out, nullptr, type)) {
      return absl::InternalError("LLVM cannot emit this kind of file");
    }
    passes.run(module_);
    return std::string(bytes.data(), bytes.size());
  }

 private:
  const Target& target_;
  std::unique_ptr<llvm::TargetMachine> machine_;
  llvm::LLVMContext context_;
  llvm::Module module_;
};

// All the kernels in one module, optimised.
absl::StatusOr<std::unique_ptr<Compilation>> Optimised(absl::Span<const NamedEmission> kernels,
                                                       const Target& target) {
  absl::StatusOr<std::unique_ptr<Compilation>> compilation = Compilation::Create(target);
  if (!compilation.ok()) return compilation;
  if (absl::Status status = (*compilation)->Emit(kernels); !status.ok()) return status;
  (*compilation)->Optimise();
  return compilation;
}

absl::StatusOr<std::string> KernelObject(const NamedEmission& kernel, const Target& target,
                                         ObjectCache* cache) {
  absl::StatusOr<std::unique_ptr<Compilation>> compilation = Compilation::Create(target);
  if (!compilation.ok()) return compilation.status();
  if (absl::Status status = (*compilation)->Emit({&kernel, 1}); !status.ok()) return status;
  const auto compile = [&]() -> absl::StatusOr<std::string> {
    (*compilation)->Optimise();
    if (kernel.line != 0) {
      // After optimising, which so cannot depend on it.
      llvm::Module* const module = &(*compilation)->module();
      DebugLines lines(module);
      lines.Set(module->getFunction(kernel.name), kernel.line);
      lines.Finish();
      if (absl::Status status = Verify(*module); !status.ok()) return status;
    }
    return (*compilation)->File(llvm::CodeGenFileType::ObjectFile);
  };
  if (cache == nullptr) return compile();
  return cache->Find(
      absl::StrCat(target.cpu, " ", target.features, "\n", Text((*compilation)->module())),
      compile);
}

absl::StatusOr<std::string> ThunkObject(const BuiltProgram& built, const Target& target) {
  absl::StatusOr<std::unique_ptr<Compilation>> compilation = Compilation::Create(target);
  if (!compilation.ok()) return compilation.status();
  (*compilation)->machine().setOptLevel(llvm::CodeGenOptLevel::Less);  // a call each
  EmitStepThunks(built, target, &(*compilation)->module());
  if (absl::Status status = Verify((*compilation)->module()); !status.ok()) return status;
  return (*compilation)->File(llvm::CodeGenFileType::ObjectFile);
}

std::vector<NamedEmission> Emissions(absl::Span<const Kernel> kernels) {
  std::vector<NamedEmission> emissions;
  for (const Kernel& kernel : kernels)
    emissions.push_back({kernel.name, kernel.spec, kernel.choice.emitter->emit, kernel.line});
  return emissions;
}

std::vector<uint8_t> Bytes(llvm::StringRef text) { return {text.begin(), text.end()}; }

// An object to be compiled, and what it is called in an archive.
struct Job {
  std::string name;
  std::function<absl::StatusOr<std::string>()> compile;
};

std::vector<Job> KernelJobs(absl::Span<const NamedEmission> kernels, const Target& target,
                            ObjectCache* cache) {
  std::vector<Job> jobs;
  for (const NamedEmission& kernel : kernels)
    jobs.push_back({kernel.name + ".o",
                    [&kernel, &target, cache] { return KernelObject(kernel, target, cache); }});
  return jobs;
}

// As members of an ar archive.
absl::StatusOr<std::vector<uint8_t>> Archive(
    absl::Span<const Job> jobs, const std::vector<absl::StatusOr<std::string>>& objects) {
  std::vector<llvm::NewArchiveMember> members;
  for (size_t i = 0; i < objects.size(); ++i)
    members.emplace_back(llvm::MemoryBufferRef(*objects[i], jobs[i].name));
  llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> archive = llvm::writeArchiveToBuffer(
      members, llvm::SymtabWritingMode::NormalSymtab, llvm::object::Archive::K_GNU,
      /*Deterministic=*/true, /*Thin=*/false);
  if (!archive) {
    return absl::InternalError(
        absl::StrCat("cannot put kernels together: ", llvm::toString(archive.takeError())));
  }
  return Bytes((*archive)->getBuffer());
}

// A module each, whatever the number of threads: equal input gives equal bytes.
absl::StatusOr<std::vector<uint8_t>> RunJobs(absl::Span<const Job> jobs,
                                             const std::atomic<bool>* cancel = nullptr) {
  const auto cancelled = [cancel] { return cancel != nullptr && *cancel; };
  std::vector<absl::StatusOr<std::string>> objects(jobs.size());
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t i = next++; i < jobs.size() && !cancelled(); i = next++)
      objects[i] = jobs[i].compile();
  };
  RunOnThreads(std::min(static_cast<int64_t>(jobs.size()), int64_t{UsableCpus()}), work);
  if (cancelled()) return absl::CancelledError("compiling was interrupted");
  for (const absl::StatusOr<std::string>& object : objects) {
    if (!object.ok()) return object.status();
  }
  return objects.size() == 1 ? Bytes(*objects[0]) : Archive(jobs, objects);
}

}  // namespace

absl::StatusOr<std::vector<uint8_t>> CompileToObject(absl::Span<const NamedEmission> kernels,
                                                     const Target& target, ObjectCache* cache) {
  return RunJobs(KernelJobs(kernels, target, cache));
}

absl::StatusOr<std::vector<uint8_t>> CompileToObject(absl::Span<const Kernel> kernels,
                                                     const Target& target, ObjectCache* cache) {
  return CompileToObject(Emissions(kernels), target, cache);
}

absl::StatusOr<std::vector<uint8_t>> CompileToObject(const BuiltProgram& built,
                                                     const Target& target,
                                                     const std::atomic<bool>* cancel,
                                                     ObjectCache* cache) {
  const std::vector<NamedEmission> kernels = Emissions(built.kernels);
  std::vector<Job> jobs = KernelJobs(kernels, target, cache);
  jobs.push_back({"steps.o", [&] { return ThunkObject(built, target); }});
  return RunJobs(jobs, cancel);
}

absl::StatusOr<std::string> CompileToAssembly(absl::Span<const Kernel> kernels,
                                              const Target& target) {
  return CompileToAssembly(Emissions(kernels), target);
}

absl::StatusOr<std::string> CompileToAssembly(absl::Span<const NamedEmission> kernels,
                                              const Target& target) {
  absl::StatusOr<std::unique_ptr<Compilation>> compilation = Optimised(kernels, target);
  if (!compilation.ok()) return compilation.status();
  return (*compilation)->File(llvm::CodeGenFileType::AssemblyFile);
}

absl::StatusOr<std::string> CompileToLlvm(absl::Span<const Kernel> kernels, const Target& target) {
  absl::StatusOr<std::unique_ptr<Compilation>> compilation = Optimised(Emissions(kernels), target);
  if (!compilation.ok()) return compilation.status();
  return Text((*compilation)->module());
}

}  // namespace weft::codegen
