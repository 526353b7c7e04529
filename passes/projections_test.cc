// Joining and cutting are in tests/passes/fuse_*.wir; here: what counts as a projection.
#include "passes/projections.h"

#include <gtest/gtest.h>

#include "passes/test_models.h"

namespace weft::passes {
namespace {

constexpr absl::string_view kText = R"(module "m" {
  tensor "a" : f32[4,4] {file=0, offset=0}
  tensor "v" : f32[4] {file=0, offset=128}
  %0 = input {name="tokens"} : i32[T]
  %1 = weight {tensor="a"} : f32[4,4]
  %2 = embed %0, %1 : f32[T,4]
  %3 = weight {tensor="v"} : f32[4]
  %4 = matmul %2, %1 : f32[T,4]
  %5 = add %4, %3 : f32[T,4]
  %6 = matmul %2, %1 : f32[T,4]
  %7 = add %6, %3 : f32[T,4]
  %8 = add %6, %7 : f32[T,4]
  %9 = matmul %2, %1, %3 {epilogue=["bias"]} : f32[T,4]
  %10 = matmul %8, %1 : f32[T,4]
  return %5, %8, %9, %10
})";

TEST(ProjectionsTest, TakesTheBiasIfNothingElseNeedsTheProduct) {
  const ir::Module module = ParseOrDie(kText);
  const Uses uses(module);
  const auto biased = FindProjection(module, uses, 5);
  ASSERT_TRUE(biased.has_value());
  EXPECT_EQ(biased->matmul, 4);
  EXPECT_EQ(biased->bias, 3);
  EXPECT_EQ(biased->result, 5);
  EXPECT_FALSE(FindProjection(module, uses, 7).has_value());  // %6 is used twice
  const auto plain = FindProjection(module, uses, 6);
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ(plain->bias, -1);
  EXPECT_FALSE(FindProjection(module, uses, 8).has_value());  // no vector
  EXPECT_FALSE(FindProjection(module, uses, 9).has_value());  // has an epilogue
  EXPECT_FALSE(FindProjection(module, uses, 2).has_value());
}

TEST(ProjectionsTest, JoinsDistinctOnesOfOneInput) {
  const ir::Module module = ParseOrDie(kText);
  const Uses uses(module);
  const Projection a = *FindProjection(module, uses, 5);
  const Projection b = *FindProjection(module, uses, 6);
  const Projection other = *FindProjection(module, uses, 10);
  EXPECT_TRUE(CanJoin({a, b}, module));
  EXPECT_FALSE(CanJoin({a, a}, module));
  EXPECT_FALSE(CanJoin({a, b, other}, module));
}

}  // namespace
}  // namespace weft::passes
