#include "runtime/abi/data_type.h"

#include <gtest/gtest.h>

namespace weft {
namespace {

TEST(DataType, NamesParseBack) {
#define WEFT_CASE(id, name, ggml, values, bytes) \
  EXPECT_EQ(ParseDataType(name), DataType::id);  \
  EXPECT_EQ(Name(DataType::id), name);           \
  EXPECT_EQ(GetInfo(DataType::id).block_values, values);
  WEFT_DATA_TYPES(WEFT_CASE)
#undef WEFT_CASE
  EXPECT_FALSE(ParseDataType("q9_0").has_value());
}

TEST(DataType, GgmlIds) {
  EXPECT_EQ(DataTypeFromGgml(8), DataType::kQ8_0);
  EXPECT_EQ(DataTypeFromGgml(30), DataType::kBF16);
  EXPECT_FALSE(DataTypeFromGgml(4).has_value()) << "removed from the format";
  EXPECT_FALSE(DataTypeFromGgml(0xffffffff).has_value());
}

TEST(DataType, BlockSizes) {
  EXPECT_TRUE(IsBlockType(DataType::kQ8_0));
  EXPECT_FALSE(IsBlockType(DataType::kBF16));
  EXPECT_EQ(GetInfo(DataType::kQ6_K).block_bytes, 210);
}

}  // namespace
}  // namespace weft
