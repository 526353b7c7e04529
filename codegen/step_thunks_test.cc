#include "codegen/step_thunks.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "codegen/compiler.h"
#include "codegen/kernel_builder.h"
#include "codegen/link.h"
#include "ir/text.h"
#include "llvm/DebugInfo/DWARF/DWARFContext.h"
#include "llvm/IR/Intrinsics.h"
#include "llvm/Object/ELFObjectFile.h"
#include "runtime/abi/step_symbol.h"
#include "runtime/base/cpu.h"
#include "runtime/code_library.h"

namespace weft::codegen {
namespace {

using testing::HasSubstr;

// Three steps of two kernels; "a" and "b" share theirs.
constexpr char kModule[] = R"(module "m" {
  tensor "w" : f32[64,32] {file=0, offset=0}
  %0 = input {name="tokens", space="arena", address=0, bytes=64} : i32[T]
  %1 = input {name="positions", space="arena", address=64, bytes=64} : i32[T]
  %2 = weight {tensor="w"} : f32[64,32]
  %3 = pack %2 {format="f32", layout="panels16", space="weights", address=0, bytes=8192} : f32[64,32]{panels16}
  %4 = embed %0, %3 {partition="tokens", units=1, grain=1, space="arena", address=128, stride=128, bytes=512} : f32[T,32] @ "embed"
  %5 = scale %4 {value=2.0, partition="tokens", units=1, grain=1, space="arena", address=640, stride=128, bytes=512} : f32[T,32] @ "layers.0 a"
  %6 = scale %5 {value=2.0, partition="tokens", units=1, grain=1, space="arena", address=1152, stride=128, bytes=512} : f32[T,32] @ "layers.1 b"
  %7 = select_rows %6 {partition="tokens", units=1, grain=1, space="arena", address=1664, stride=128, bytes=256} : f32[L,32] @ "rows"
  %8 = matmul %7, %3 {partition="panels", units=4, grain=2, space="arena", address=1920, stride=256, bytes=512} : f32[L,64] @ "lm_head"
  %9 = argmax %8 {partition="tokens", units=1, grain=1, space="arena", address=2432, bytes=64} : i32[L] @ "best"
  return %8, %9
})";

class StepThunksTest : public testing::Test {
 protected:
  const ir::Module module_ = *ir::Parse(kModule);
  const Target target_ = *ParseTarget("x86-64-v3", DetectCpuFeatures());
  const BuiltProgram built_ =
      *BuildProgram(module_, target_, {.max_tokens = 4, .max_logit_rows = 2, .context = 16});
};

TEST_F(StepThunksTest, LineTablesNameTheLineOfTheOp) {
  const std::vector<uint8_t> image = *LinkSharedObject(*CompileToObject(built_, target_));
  const llvm::StringRef bytes(reinterpret_cast<const char*>(image.data()), image.size());
  auto object = llvm::object::ObjectFile::createObjectFile(llvm::MemoryBufferRef(bytes, "m.so"));
  ASSERT_TRUE(static_cast<bool>(object)) << llvm::toString(object.takeError());
  const auto context = llvm::DWARFContext::create(**object);
  std::map<std::string, std::vector<llvm::DILineInfo>> lines;  // by symbol, of all its code
  for (const llvm::object::ELFSymbolRef symbol :
       llvm::cast<llvm::object::ELFObjectFileBase>(**object).symbols()) {
    if (llvm::cantFail(symbol.getType()) != llvm::object::SymbolRef::ST_Function) continue;
    std::vector<llvm::DILineInfo>& of_symbol = lines[llvm::cantFail(symbol.getName()).str()];
    const llvm::object::SectionedAddress begin = {llvm::cantFail(symbol.getAddress()), 0};
    const auto table = context->getLineInfoForAddressRange({begin.Address}, symbol.getSize(), {});
    for (const auto& [address, info] : table) of_symbol.push_back(info);
  }

  const std::vector<std::string> text = absl::StrSplit(ir::Print(module_), '\n');
  std::map<std::string, std::string> expected;  // a part of the line, by symbol
  for (size_t i = 0; i < built_.program.steps.size(); ++i) {
    const Step& step = built_.program.steps[i];
    const std::string part = absl::StrCat("@ \"", step.name, "\"");
    expected[StepSymbol(step, i)] = part;
    expected.try_emplace(step.kernel, part);  // the first step that uses it
  }
  ASSERT_EQ(expected.size(), 6U + 5U);
  for (const auto& [symbol, part] : expected) {
    ASSERT_FALSE(lines[symbol].empty()) << symbol;
    EXPECT_NE(lines[symbol].front().Line, 0U) << symbol;
    for (const llvm::DILineInfo& info : lines[symbol]) {
      // What LLVM merged from several places has no line, in kernels.
      if (info.Line == 0 && !symbol.starts_with("step")) continue;
      EXPECT_THAT(info.FileName, testing::EndsWith("plan.wir")) << symbol;
      ASSERT_TRUE(info.Line >= 1 && info.Line <= text.size()) << symbol << ' ' << info.Line;
      EXPECT_THAT(text[info.Line - 1], HasSubstr(part)) << symbol;
    }
  }
}

// Stores where it returns to, and where its caller does.
void EmitReturnAddresses(KernelBuilder& k) {
  for (int depth : {0, 1}) {
    k.ir().CreateStore(
        k.ir().CreateIntrinsic(llvm::Intrinsic::returnaddress, {}, {k.ir().getInt32(depth)}),
        k.Offset(k.Operand(0), static_cast<int64_t>(depth * sizeof(void*))));
  }
}

// What perf --call-graph=fp does: from frame to frame.
TEST_F(StepThunksTest, FramesLeadFromTheKernelThroughTheStep) {
  const Emitter emitter = {"frames", ir::Op::kAdd, nullptr, EmitReturnAddresses};
  KernelSpec spec{.node = {.op = ir::Op::kAdd}};
  spec.operands.resize(1);
  BuiltProgram built;
  built.kernels.push_back({"frames", spec, {&emitter, {}}, 1});
  for (const char* name : {"a", "b"}) {
    Step step;
    step.name = name;
    step.kernel = "frames";
    built.program.steps.push_back(step);
    built.step_lines.push_back(2);
  }
  const std::vector<uint8_t> image = *LinkSharedObject(*CompileToObject(built, target_));
  const auto library = CodeLibrary::Load(image, "");
  ASSERT_TRUE(library.ok()) << library.status();
  const auto kernels = (*library)->KernelsOf(built.program);
  ASSERT_TRUE(kernels.ok()) << kernels.status();
  for (size_t i = 0; i < kernels->size(); ++i) {
    void* returns[2] = {};
    void* operands[] = {static_cast<void*>(returns)};
    const KernelContext context{1, 1, 0};
    (*kernels)[i](&context, operands, 0, 1);
    Dl_info step = {};
    ASSERT_NE(dladdr(returns[0], &step), 0);
    EXPECT_EQ(std::string(step.dli_sname), StepSymbol(built.program.steps[i], i));
    Dl_info self = {};
    Dl_info caller = {};
    ASSERT_NE(dladdr(kModule, &self), 0);
    ASSERT_NE(dladdr(returns[1], &caller), 0);
    EXPECT_EQ(caller.dli_fbase, self.dli_fbase) << "called from this test";
  }
}

}  // namespace
}  // namespace weft::codegen
