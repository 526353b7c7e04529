#include "codegen/disassemble.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "codegen/compiler.h"
#include "codegen/kernel_builder.h"
#include "codegen/link.h"
#include "runtime/base/cpu.h"

namespace weft::codegen {
namespace {

using testing::HasSubstr;

std::vector<uint8_t> Linked(const std::vector<std::pair<std::string, int>>& kernels) {
  std::vector<NamedEmission> emissions;
  for (const auto& [name, number] : kernels) {
    KernelSpec spec;
    spec.operands = {{{DataType::kI32, {ir::Dim(1)}}}};
    const int value = number;
    emissions.push_back({name, spec, [value](KernelBuilder& k) {
                           k.ir().CreateStore(k.ir().getInt32(value), k.Operand(0));
                         }});
  }
  return *LinkSharedObject(
      *CompileToObject(absl::MakeConstSpan(emissions), *ParseTarget("x86-64-v3", CpuFeatures())));
}

TEST(Disassemble, InstructionsOfEveryFunction) {
  const auto functions = Disassemble(Linked({{"store_41", 41}, {"store_7", 7}}));
  ASSERT_TRUE(functions.ok()) << functions.status();
  ASSERT_EQ(functions->size(), 2u);
  for (const auto& [name, number] : {std::pair("store_41", "$41, (%"), {"store_7", "$7, (%"}}) {
    const auto found = std::ranges::find(*functions, name, &DisassembledFunction::name);
    ASSERT_NE(found, functions->end()) << name;
    EXPECT_THAT(found->text, HasSubstr(absl::StrCat("movl\t", number)));
    EXPECT_THAT(found->text, HasSubstr("retq"));
    EXPECT_EQ(found->text.find("(no instruction)"), std::string::npos) << found->text;
  }
}

TEST(Disassemble, WhatIsNoObjectIsAnError) {
  const std::vector<uint8_t> noise(100, 7);
  EXPECT_THAT(std::string(Disassemble(noise).status().message()), HasSubstr("machine code: "));
  EXPECT_FALSE(Disassemble({}).ok());
  // Cut or damaged anywhere: an error or less text, never a crash.
  const std::vector<uint8_t> object = Linked({{"f", 1}});
  for (size_t size = 0; size < object.size(); size += 37)
    (void)Disassemble(absl::MakeConstSpan(object).subspan(0, size));
  for (size_t i = 0; i < object.size(); ++i) {
    std::vector<uint8_t> damaged = object;
    damaged[i] ^= 0xff;
    (void)Disassemble(damaged);
  }
}

}  // namespace
}  // namespace weft::codegen
