#include "codegen/disassemble.h"

#include <algorithm>
#include <memory>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "llvm/MC/MCAsmInfo.h"
#include "llvm/MC/MCContext.h"
#include "llvm/MC/MCDisassembler/MCDisassembler.h"
#include "llvm/MC/MCInst.h"
#include "llvm/MC/MCInstPrinter.h"
#include "llvm/MC/MCInstrInfo.h"
#include "llvm/MC/MCRegisterInfo.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"

namespace weft::codegen {
namespace {

constexpr char kTriple[] = "x86_64-unknown-linux-gnu";
constexpr unsigned kAttSyntax = 0;

absl::Status Failed(const char* what, llvm::Error error) {
  return absl::InvalidArgumentError(
      absl::StrCat("machine code: ", what, ": ", llvm::toString(std::move(error))));
}

// LLVM's parts of a disassembler, which refer to each other.
class Disassembler {
 public:
  Disassembler() {
    static std::once_flag once;
    std::call_once(once, [] {
      LLVMInitializeX86TargetInfo();
      LLVMInitializeX86TargetMC();
      LLVMInitializeX86Disassembler();
    });
    std::string error;
    const llvm::Target* target = llvm::TargetRegistry::lookupTarget(kTriple, error);
    if (target == nullptr) return;
    registers_.reset(target->createMCRegInfo(kTriple));
    assembly_.reset(target->createMCAsmInfo(*registers_, kTriple, llvm::MCTargetOptions()));
    subtarget_.reset(target->createMCSubtargetInfo(kTriple, "", ""));
    instructions_.reset(target->createMCInstrInfo());
    context_ = std::make_unique<llvm::MCContext>(llvm::Triple(kTriple), assembly_.get(),
                                                 registers_.get(), subtarget_.get());
    decoder_.reset(target->createMCDisassembler(*subtarget_, *context_));
    printer_.reset(target->createMCInstPrinter(llvm::Triple(kTriple), kAttSyntax, *assembly_,
                                               *instructions_, *registers_));
    if (printer_ != nullptr) printer_->setPrintBranchImmAsAddress(true);
  }

  bool ready() const { return decoder_ != nullptr && printer_ != nullptr; }

  std::string Lines(llvm::ArrayRef<uint8_t> bytes, uint64_t address) {
    std::string text;
    while (!bytes.empty()) {
      llvm::MCInst instruction;
      uint64_t size = 0;
      const bool decoded = decoder_->getInstruction(instruction, size, bytes, address,
                                                    llvm::nulls()) == llvm::MCDisassembler::Success;
      size = std::clamp<uint64_t>(size, 1, bytes.size());
      absl::StrAppend(&text, absl::StrFormat("%8x:", address));
      if (decoded) {
        llvm::raw_string_ostream out(text);
        printer_->printInst(&instruction, address, "", *subtarget_, out);
      } else {
        absl::StrAppend(&text, "\t(no instruction)");
      }
      text += '\n';
      bytes = bytes.drop_front(size);
      address += size;
    }
    return text;
  }

 private:
  std::unique_ptr<llvm::MCRegisterInfo> registers_;
  std::unique_ptr<llvm::MCAsmInfo> assembly_;
  std::unique_ptr<llvm::MCSubtargetInfo> subtarget_;
  std::unique_ptr<llvm::MCInstrInfo> instructions_;
  std::unique_ptr<llvm::MCContext> context_;
  std::unique_ptr<llvm::MCDisassembler> decoder_;
  std::unique_ptr<llvm::MCInstPrinter> printer_;
};

struct Function {
  std::string name;
  uint64_t address = 0;
  llvm::ArrayRef<uint8_t> bytes;
};

// The bytes of a symbol that is a function; a function without bytes where it is none.
llvm::Expected<Function> Read(const llvm::object::ELFSymbolRef& symbol,
                              const llvm::object::ObjectFile& file) {
  Function function;
  auto type = symbol.getType();
  if (!type) return type.takeError();
  auto section = symbol.getSection();
  if (!section) return section.takeError();
  if (*type != llvm::object::SymbolRef::ST_Function || *section == file.section_end())
    return function;
  auto name = symbol.getName();
  if (!name) return name.takeError();
  auto address = symbol.getAddress();
  if (!address) return address.takeError();
  auto contents = (*section)->getContents();
  if (!contents) return contents.takeError();
  const uint64_t begin = *address - (*section)->getAddress();
  if (begin > contents->size() || symbol.getSize() > contents->size() - begin) return function;
  function.name = name->str();
  function.address = *address;
  function.bytes = llvm::ArrayRef(contents->bytes_begin() + begin, symbol.getSize());
  return function;
}

}  // namespace

absl::StatusOr<std::vector<DisassembledFunction>> Disassemble(absl::Span<const uint8_t> object) {
  const llvm::StringRef bytes(reinterpret_cast<const char*>(object.data()), object.size());
  auto file = llvm::object::ObjectFile::createELFObjectFile(
      llvm::MemoryBufferRef(bytes, "machine code"), /*InitContent=*/true);
  if (!file) return Failed("not an ELF file", file.takeError());
  std::vector<Function> functions;
  uint64_t total = 0;
  for (const llvm::object::SymbolRef& symbol : (*file)->symbols()) {
    auto function = Read(symbol, **file);
    if (!function) return Failed("a symbol cannot be read", function.takeError());
    if (function->bytes.empty()) continue;
    total += function->bytes.size();
    if (total > object.size())
      return absl::InvalidArgumentError("machine code: its functions overlap (damaged?)");
    functions.push_back(*std::move(function));
  }
  std::ranges::sort(functions, {}, &Function::address);
  Disassembler disassembler;
  if (!disassembler.ready()) return absl::InternalError("LLVM has no disassembler for x86-64");
  std::vector<DisassembledFunction> result;
  result.reserve(functions.size());
  for (const Function& function : functions)
    result.push_back({function.name, disassembler.Lines(function.bytes, function.address)});
  return result;
}

}  // namespace weft::codegen
