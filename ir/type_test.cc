#include "ir/type.h"

#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace weft::ir {
namespace {

using testing::HasSubstr;

TEST(TypeTest, PrintsAsTheTextForm) {
  EXPECT_EQ(ToString(Type{DataType::kF32, {Symbol::kTokens, 576}}), "f32[T,576]");
  EXPECT_EQ(ToString(Type{DataType::kQ8_0, {1536, 576}, Layout::kPanels16}),
            "q8_0[1536,576]{panels16}");
  EXPECT_EQ(ToString(Type{DataType::kF32, {Symbol::kCached, 2, 3, 64}}), "f32[S,2,3,64]");
  EXPECT_EQ(ToString(Type{DataType::kI32, {Symbol::kLogitRows}}), "i32[L]");
  EXPECT_EQ(ToString(Type{DataType::kF64, {}}), "f64[]");
  EXPECT_EQ(ToString(Dim(std::numeric_limits<int64_t>::min())), "-9223372036854775808");
}

TEST(TypeTest, DimsAreNumbersOrSymbols) {
  EXPECT_EQ(Dim(5).value(), 5);
  EXPECT_FALSE(Dim(5).is_symbol());
  EXPECT_TRUE(Dim(Symbol::kTokens).is_symbol());
  EXPECT_EQ(Dim(Symbol::kTokens).symbol(), Symbol::kTokens);
  EXPECT_NE(Dim(Symbol::kTokens), Dim(Symbol::kLogitRows));
  EXPECT_NE(Dim(Symbol::kTokens), Dim(0));
  EXPECT_DEATH(Dim(Symbol::kTokens).value(), "check failed");
}

TEST(TypeTest, SymbolsHaveLetters) {
  for (Symbol symbol : {Symbol::kTokens, Symbol::kLogitRows, Symbol::kCached}) {
    EXPECT_EQ(SymbolOf(Letter(symbol)), symbol);
  }
  for (char letter : {'\0', 't', 'X', '%', '1'}) EXPECT_EQ(SymbolOf(letter), Symbol::kNone);
  EXPECT_DEATH(Letter(Symbol::kNone), "check failed");
}

TEST(TypeTest, LayoutsHaveNames) {
  Layout layout = Layout::kRows;
  EXPECT_TRUE(ParseLayout("panels16", &layout));
  EXPECT_EQ(layout, Layout::kPanels16);
  EXPECT_TRUE(ParseLayout("panels16x2", &layout));
  EXPECT_EQ(layout, Layout::kPanels16x2);
  EXPECT_TRUE(ParseLayout("rows", &layout));
  EXPECT_EQ(layout, Layout::kRows);
  EXPECT_FALSE(ParseLayout("panels32", &layout));
  EXPECT_FALSE(ParseLayout("", &layout));
}

TEST(TypeTest, TypesDifferInEachPart) {
  const Type type{DataType::kF32, {4, 8}};
  EXPECT_EQ(type, (Type{DataType::kF32, {4, 8}}));
  EXPECT_NE(type, (Type{DataType::kF16, {4, 8}}));
  EXPECT_NE(type, (Type{DataType::kF32, {8, 4}}));
  EXPECT_NE(type, (Type{DataType::kF32, {4, 8}, Layout::kPanels16}));
  EXPECT_EQ(type.rank(), 2);
  EXPECT_EQ(type.last(), Dim(8));
}

TEST(TensorBytesTest, CountsBlocks) {
  EXPECT_EQ(*TensorBytes(DataType::kF32, {2, 3}), 24U);
  EXPECT_EQ(*TensorBytes(DataType::kQ8_0, {5, 64}), 5U * 2 * 34);
  EXPECT_EQ(*TensorBytes(DataType::kQ4_K, {2, 512}), 2U * 2 * 144);
  EXPECT_EQ(*TensorBytes(DataType::kF64, {}), 8U);
  EXPECT_EQ(*TensorBytes(DataType::kF32, {0, 7}), 0U);
  EXPECT_EQ(*TensorBytes(DataType::kQ8_0, {0, 32}), 0U);
  EXPECT_EQ(*TensorBytes(DataType::kF64, {int64_t{1} << 24, int64_t{1} << 24}), uint64_t{1} << 51);
}

TEST(TensorBytesTest, RefusesWhatNoFileHolds) {
  const int64_t max = std::numeric_limits<int64_t>::max();
  EXPECT_THAT(TensorBytes(DataType::kF32, {2, -3}).status().message(), HasSubstr("below 0"));
  EXPECT_THAT(TensorBytes(DataType::kF32, {std::numeric_limits<int64_t>::min()}).status().message(),
              HasSubstr("below 0"));
  EXPECT_THAT(TensorBytes(DataType::kF32, {max}).status().message(), HasSubstr("more than"));
  EXPECT_THAT(TensorBytes(DataType::kU8, {max, max, max}).status().message(),
              HasSubstr("more than"));
  // A dim of 0 must not hide that the others overflow a partial product.
  EXPECT_THAT(TensorBytes(DataType::kF32, {max, 0, max}).status().message(),
              HasSubstr("more than"));
  EXPECT_THAT(
      TensorBytes(DataType::kF32, {int64_t{1} << 24, (int64_t{1} << 24) + 1}).status().message(),
      HasSubstr("more than 281474976710656 values"));
  EXPECT_THAT(TensorBytes(DataType::kQ8_0, {32, 33}).status().message(),
              HasSubstr("no multiple of 32, the block of q8_0"));
  EXPECT_THAT(TensorBytes(DataType::kQ6_K, {128}).status().message(), HasSubstr("256"));
  EXPECT_THAT(TensorBytes(DataType::kQ8_0, {}).status().message(), HasSubstr("no multiple"));
}

}  // namespace
}  // namespace weft::ir
