#include "codegen/tile_choice.h"

#include <gtest/gtest.h>

#include "codegen/layout.h"

namespace weft::codegen {
namespace {

TEST(TileChoiceTest, EachNumberOfTokensHasATile) {
  for (const std::string& name : KnownTargets()) {
    const Target target = *ParseTarget(name, CpuFeatures());
    for (const bool quantized : {false, true}) {
      const std::vector<TileChoice> tiles = TileChoices(target, quantized);
      EXPECT_EQ(tiles.front().most_tokens, 1);
      EXPECT_EQ(tiles.front().tokens, 1);
      EXPECT_EQ(tiles.back().most_tokens, kAnyTokens);
      for (size_t i = 0; i < tiles.size(); ++i) {
        EXPECT_EQ(tiles[i].streams, i + 1 < tiles.size());
        EXPECT_EQ(tiles[i].kind == TileKind::kFloat, !quantized);
        EXPECT_FALSE(tiles[i].why.empty());
        EXPECT_LT(i > 0 ? tiles[i - 1].most_tokens : 0, tiles[i].most_tokens);
      }
    }
  }
}

// Each instruction set multiplies many tokens its own way.
TEST(TileChoiceTest, BlocksAreOfTheTargetsOwnKind) {
  const auto kind = [](const char* target) {
    return TileChoices(*ParseTarget(target, CpuFeatures()), /*quantized=*/true).back().kind;
  };
  EXPECT_EQ(kind("x86-64-v3"), TileKind::kWidened);
  EXPECT_EQ(kind("avx-vnni"), TileKind::kInt8);
  EXPECT_EQ(kind("avx512-vnni"), TileKind::kInt8);
  EXPECT_EQ(kind("amx-int8"), TileKind::kAmx);
}

TEST(TileChoiceTest, GroupsFitTheCacheAndHoldWholeSteps) {
  for (const std::string& name : KnownTargets()) {
    const TileChoice tile =
        TileChoices(*ParseTarget(name, CpuFeatures()), /*quantized=*/true).back();
    for (const int64_t k : {32, 576, 1536, 1537, 6912}) {
      for (const int unit_panels : {1, 2, 4}) {
        const BlockCut cut = CutForCaches(tile, 6912, k, /*quantized=*/true, unit_panels);
        EXPECT_EQ(cut.group_panels % cut.step_panels, 0);
        EXPECT_EQ(cut.step_panels % unit_panels, 0);
        if (k <= 1536) {
          EXPECT_EQ(cut.most_k, k);
        } else {
          EXPECT_LE(cut.most_k, 1536);
          EXPECT_EQ(cut.most_k % kBlock, 0);
        }
        const int64_t panel = PanelBytes(DataType::kQ8_0, cut.most_k);
        EXPECT_LE((cut.group_panels - cut.step_panels) * panel, 384 << 10);
      }
    }
  }
}

}  // namespace
}  // namespace weft::codegen
