// Expected sizes are worked out by hand from the table in docs/architecture.md.
#include "passes/layout.h"

#include <gtest/gtest.h>

#include "passes/test_models.h"

namespace weft::passes {
namespace {

using ir::Layout;
using ir::Symbol;
using ir::Type;

TEST(LayoutTest, Weights) {
  EXPECT_EQ(*PackedBytes({DataType::kF32, {17, 5}, Layout::kPanels16}), 2 * 5 * 64);
  EXPECT_EQ(*PackedBytes({DataType::kQ8_0, {17, 33}, Layout::kPanels16}), 2 * 2 * 544);
  EXPECT_EQ(*PackedBytes({DataType::kQ8_0, {64, 33}, Layout::kPanels16x2}), 4 * 2 * 544);
  EXPECT_EQ(*PackedBytes({DataType::kF32, {7}}), 28);
  EXPECT_EQ(*PackedBytes({DataType::kF32, {7, 3}}), 84);
  EXPECT_EQ(*PanelBytes({DataType::kF32, {17, 5}, Layout::kPanels16}), 5 * 64);
  EXPECT_EQ(Panels({DataType::kF32, {17, 5}, Layout::kPanels16}), 2);
}

TEST(LayoutTest, Activations) {
  EXPECT_EQ(*RowStride({DataType::kF32, {Symbol::kTokens, 16}}), 64);
  EXPECT_EQ(*RowStride({DataType::kF32, {Symbol::kTokens, 17}}), 128);
  // int8[64], two scales and two sums: 80
  EXPECT_EQ(*RowStride({DataType::kQ8A, {Symbol::kTokens, 33}}), 128);
  EXPECT_EQ(*RowStride({DataType::kQ8A, {Symbol::kTokens, 32}}), 64);
  const PassOptions options = {.max_tokens = 8, .max_logit_rows = 3};
  EXPECT_EQ(MaxRows({DataType::kF32, {Symbol::kTokens, 16}}, options), 8);
  EXPECT_EQ(MaxRows({DataType::kI32, {Symbol::kLogitRows}}, options), 3);
}

TEST(LayoutTest, Cache) {
  const Type type = {DataType::kF32, {Symbol::kCached, 2, 3, 20}};
  // One chunk: keys [3][4][20][16], values [3][2][64][16].
  EXPECT_EQ(*KvBytes(type, 20), (3 * 4 * 20 * 16 + 3 * 2 * 64 * 16) * 4);
  EXPECT_EQ(*KvBytes(type, 64), *KvBytes(type, 20));
  const Type half = {DataType::kF16, type.dims};
  EXPECT_EQ(2 * *KvBytes(half, 20), *KvBytes(type, 20));
  // Blocks of 32 values in 34 bytes, one for each of [2][3][64] positions.
  const Type blocks = {DataType::kQ8_0, type.dims};
  EXPECT_EQ(*KvBytes(blocks, 20), 2 * 3 * 64 * 34);
  EXPECT_EQ(*KvBytes(type, 65), 2 * *KvBytes(type, 20));
}

TEST(LayoutTest, HugeSizesAreErrors) {
  constexpr int64_t kHuge = int64_t{1} << 40;
  EXPECT_FALSE(Product({kHuge, kHuge}).ok());
  EXPECT_FALSE(Product({INT64_MAX, 4}).ok());
  EXPECT_EQ(*Product({kHuge, 2}), 2 * kHuge);
  EXPECT_FALSE(PackedBytes({DataType::kF32, {kHuge, kHuge}, Layout::kPanels16}).ok());
  EXPECT_FALSE(PackedBytes({DataType::kQ8_0, {kHuge, kHuge}, Layout::kPanels16}).ok());
  EXPECT_FALSE(RowStride({DataType::kF32, {Symbol::kTokens, INT64_MAX}}).ok());
  EXPECT_FALSE(RowStride({DataType::kQ8A, {Symbol::kTokens, INT64_MAX}}).ok());
  EXPECT_FALSE(KvBytes({DataType::kF32, {Symbol::kCached, 2, kHuge, kHuge}}, 16).ok());
}

TEST(LayoutTest, ContextIsThatOfTheSmallestTable) {
  const ir::Module module = ParseOrDie(RandomModel(Family::kGpt2, 0));  // tables of 32 and 40
  EXPECT_EQ(*ResolveContext(module, {}), 32);
  EXPECT_EQ(*ResolveContext(module, {.context = 9}), 9);
  EXPECT_FALSE(ResolveContext(module, {.context = 33}).ok());
  EXPECT_FALSE(ResolveContext(ir::Module(), {}).ok());
  EXPECT_EQ(*ResolveContext(ir::Module(), {.context = 9}), 9);
}

}  // namespace
}  // namespace weft::passes
