#include "codegen/jit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

#include "codegen/compiler.h"
#include "codegen/kernel_builder.h"
#include "codegen/kernel_harness.h"

namespace weft::codegen {
namespace {

using testing::HasSubstr;

std::vector<uint8_t> ObjectOf(const std::string& name, double value) {
  KernelSpec spec{.node = {.op = ir::Op::kAdd}};
  spec.operands.resize(1);
  const NamedEmission emission{
      name, spec, [value](KernelBuilder& k) { k.ir().CreateStore(k.F32(value), k.Operand(0)); }};
  return *CompileToObject(absl::MakeConstSpan(&emission, 1), TestTargets().front());
}

float Call(KernelFn function) {
  float result = 0;
  void* operands[] = {&result};
  const KernelContext context{};
  function(&context, operands, 0, 1);
  return result;
}

TEST(Jit, TwoObjectsWithOneNameRunTheirOwnCode) {
  const auto one = Jit::Load(ObjectOf("f", 1));
  const auto two = Jit::Load(ObjectOf("f", 2));
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_EQ(Call(*(*one)->Lookup("f")), 1);
  EXPECT_EQ(Call(*(*two)->Lookup("f")), 2);
}

TEST(Jit, KernelsOfAProgramAreOnePerStep) {
  const auto jit = Jit::Load(ObjectOf("f", 3));
  ASSERT_TRUE(jit.ok());
  Program program;
  program.steps = {{.kernel = "f"}, {.kernel = "f"}};
  const auto kernels = (*jit)->KernelsOf(program);
  ASSERT_TRUE(kernels.ok()) << kernels.status();
  ASSERT_EQ(kernels->size(), 2U);
  EXPECT_EQ((*kernels)[0], (*kernels)[1]);
}

TEST(Jit, KernelsOfAnArchiveAreAllThere) {
  KernelSpec spec{.node = {.op = ir::Op::kAdd}};
  spec.operands.resize(1);
  std::vector<NamedEmission> emissions;
  for (int i = 0; i < 20; ++i) {
    emissions.push_back({"kernel_with_a_rather_long_name_" + std::to_string(i), spec,
                         [i](KernelBuilder& k) { k.ir().CreateStore(k.F32(i), k.Operand(0)); }});
  }
  const auto object = CompileToObject(absl::MakeConstSpan(emissions), TestTargets().front());
  ASSERT_TRUE(object.ok()) << object.status();
  EXPECT_EQ(*object, *CompileToObject(absl::MakeConstSpan(emissions), TestTargets().front()));
  const auto jit = Jit::Load(*object);
  ASSERT_TRUE(jit.ok()) << jit.status();
  for (int i = 0; i < 20; ++i) {
    const auto kernel = (*jit)->Lookup(emissions[static_cast<size_t>(i)].name);
    ASSERT_TRUE(kernel.ok()) << kernel.status();
    EXPECT_EQ(Call(*kernel), static_cast<float>(i));
  }
  // Cut short, it is an error, then or when a kernel is looked up.
  for (size_t size = 8; size < object->size(); size += 97) {
    const auto part = Jit::Load(absl::MakeConstSpan(*object).first(size));
    EXPECT_FALSE(part.ok() && (*part)->Lookup(emissions.back().name).ok()) << size;
  }
}

TEST(Jit, SymbolsTellWhereFunctionsLie) {
  const auto jit = Jit::Load(ObjectOf("f", 1));
  ASSERT_TRUE(jit.ok());
  EXPECT_TRUE((*jit)->Symbols().empty()) << "nothing is linked yet";
  const auto function = (*jit)->Lookup("f");
  ASSERT_TRUE(function.ok());
  const std::vector<JitSymbol> symbols = (*jit)->Symbols();
  ASSERT_EQ(symbols.size(), 1U);
  EXPECT_EQ(symbols[0].name, "f");
  EXPECT_EQ(symbols[0].address, reinterpret_cast<uint64_t>(*function));
  EXPECT_GT(symbols[0].bytes, 4U);
  EXPECT_LT(symbols[0].bytes, 1000U);
}

// What the kernel says of each mapping, such as "r-xp" (proc(5)), asked while code is loaded: none
// may be written and executed, and the code itself is of those that cannot be written.
TEST(Jit, NoPageIsWritableAndExecutable) {
  const auto jit = Jit::Load(ObjectOf("f", 1));
  ASSERT_TRUE(jit.ok());
  const auto function = (*jit)->Lookup("f");
  ASSERT_TRUE(function.ok());
  const auto code = reinterpret_cast<uintptr_t>(*function);
  std::string of_code;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    uintptr_t begin = 0;
    uintptr_t end = 0;
    char access[5] = {};
    ASSERT_EQ(std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, access), 3) << line;
    EXPECT_FALSE(access[1] == 'w' && access[2] == 'x') << line;
    if (begin <= code && code < end) of_code = access;
  }
  EXPECT_EQ(of_code, "r-xp");
  EXPECT_EQ(Call(*function), 1);
}

TEST(Jit, MissingKernelsAreNamed) {
  const auto jit = Jit::Load(ObjectOf("f", 1));
  ASSERT_TRUE(jit.ok());
  EXPECT_THAT((*jit)->Lookup("absent").status().ToString(), HasSubstr("absent"));
}

TEST(Jit, BytesThatAreNoObjectAreAnError) {
  EXPECT_FALSE(Jit::Load({}).ok());
  const std::vector<uint8_t> noise(500, 7);
  const auto jit = Jit::Load(noise);
  EXPECT_FALSE(jit.ok() && (*jit)->Lookup("f").ok());
}

}  // namespace
}  // namespace weft::codegen
