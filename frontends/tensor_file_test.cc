#include "frontends/tensor_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace weft {
namespace {

using testing::HasSubstr;

TEST(TensorFile, Bytes) {
  EXPECT_EQ(*TensorBytes(DataType::kF32, {}), 4u);
  EXPECT_EQ(*TensorBytes(DataType::kBF16, {3, 5}), 30u);
  EXPECT_EQ(*TensorBytes(DataType::kQ4_K, {2, 512}), 2u * 2 * 144);
  EXPECT_EQ(*TensorBytes(DataType::kQ8_0, {0, 32}), 0u);
}

TEST(TensorFile, BytesRefusesTheImpossible) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  EXPECT_THAT(std::string(TensorBytes(DataType::kQ8_0, {2, 33}).status().message()),
              HasSubstr("rows of 33 values"));
  EXPECT_THAT(std::string(TensorBytes(DataType::kQ8_0, {}).status().message()),
              HasSubstr("rows of 1 values"));
  EXPECT_FALSE(TensorBytes(DataType::kF32, {kMax}).ok());
  EXPECT_FALSE(TensorBytes(DataType::kF32, {kMax / 4 + 1}).ok());
  EXPECT_TRUE(TensorBytes(DataType::kF32, {kMax / 4}).ok());
  EXPECT_FALSE(TensorBytes(DataType::kF32, {0, kMax, 2}).ok());
  EXPECT_FALSE(TensorBytes(DataType::kF32, {-1}).ok());
  EXPECT_FALSE(TensorBytes(DataType::kF32, std::vector<int64_t>(9, 1)).ok());
}

TEST(TensorFile, NamesAreShownSafely) {
  EXPECT_EQ(QuoteName("a.b"), "'a.b'");
  EXPECT_EQ(QuoteName("a\x1b[31m\n"), "'a\\x1b[31m\\n'");
  EXPECT_LT(QuoteName(std::string(100'000, 'x')).size(), 200u);
  EXPECT_EQ(DimsToString({2, 3}), "[2, 3]");
  EXPECT_EQ(DimsToString({}), "[]");
}

TEST(TensorFile, DuplicateNamesAreAnError) {
  const auto file = MappedFile::Open("CMakeLists.txt");
  ASSERT_TRUE(file.ok()) << file.status();
  const TensorEntry entry = {.name = "a", .type = DataType::kU8, .dims = {1}, .bytes = 1};
  const auto files = TensorFiles::Create({*file}, {entry, entry});
  EXPECT_THAT(std::string(files.status().message()), HasSubstr("tensor 'a' occurs a second time"));
}

}  // namespace
}  // namespace weft
