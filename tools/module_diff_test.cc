#include "tools/module_diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "ir/text.h"

namespace weft::tools {
namespace {

// `scales` scale ops one after another, of which number `fused` is none.
ir::Module Chain(int scales, int skipped, double last) {
  std::string text = R"(module "m" {
  tensor "emb" : f32[8,16] {file=0, offset=0}
  %0 = input {name="tokens"} : i32[T]
  %1 = weight {tensor="emb"} : f32[8,16]
  %2 = embed %0, %1 : f32[T,16]
)";
  int value = 2;
  for (int i = 0; i < scales; ++i) {
    if (i == skipped) continue;
    absl::StrAppend(&text, "  %", value + 1, " = scale %", value,
                    " {value=", i + 1 == scales ? last : 0.5, "} : f32[T,16] @ \"layers.", i,
                    "\"\n");
    ++value;
  }
  absl::StrAppend(&text, "  return %", value, "\n}\n");
  auto module = ir::Parse(text);
  EXPECT_TRUE(module.ok()) << module.status();
  return *std::move(module);
}

TEST(ModuleDiffTest, EqualModulesHaveNone) {
  EXPECT_EQ(DiffModules("a", Chain(5, -1, 0.25), "b", Chain(5, -1, 0.25)), "");
}

// All values after the missing one have other numbers in their own text.
TEST(ModuleDiffTest, OneNodeLessIsOneLineLessAndItsUse) {
  EXPECT_EQ(DiffModules("import", Chain(8, -1, 0.25), "canonicalise", Chain(8, 2, 0.25)),
            "--- a/import\n+++ b/canonicalise\n@@ -5,8 +5,7 @@\n"
            "   %2 = embed %0, %1 : f32[T,16]\n"
            "   %3 = scale %2 {value=0.5} : f32[T,16] @ \"layers.0\"\n"
            "   %4 = scale %3 {value=0.5} : f32[T,16] @ \"layers.1\"\n"
            "-  %5 = scale %4 {value=0.5} : f32[T,16] @ \"layers.2\"\n"
            "-  %6 = scale %5 {value=0.5} : f32[T,16] @ \"layers.3\"\n"
            "+  %6 = scale %4 {value=0.5} : f32[T,16] @ \"layers.3\"\n"
            "   %7 = scale %6 {value=0.5} : f32[T,16] @ \"layers.4\"\n"
            "   %8 = scale %7 {value=0.5} : f32[T,16] @ \"layers.5\"\n"
            "   %9 = scale %8 {value=0.5} : f32[T,16] @ \"layers.6\"\n");
}

TEST(ModuleDiffTest, AnotherAttributeKeepsTheNumberAndNewNodesGetNewOnes) {
  const std::string other = DiffModules("a", Chain(3, -1, 0.25), "b", Chain(3, -1, 0.75));
  EXPECT_THAT(other,
              testing::HasSubstr("-  %5 = scale %4 {value=0.25} : f32[T,16] @ \"layers.2\"\n"
                                 "+  %5 = scale %4 {value=0.75} : f32[T,16] @ \"layers.2\"\n"));
  const std::string more = DiffModules("a", Chain(3, 1, 0.25), "b", Chain(3, -1, 0.25));
  EXPECT_THAT(more, testing::HasSubstr("+  %5 = scale %3 {value=0.5} : f32[T,16] @ \"layers.1\"\n"
                                       "+  %4 = scale %5 {value=0.25} : f32[T,16] @ \"layers.2\"\n"
                                       "   return %4\n"));
}

}  // namespace
}  // namespace weft::tools
