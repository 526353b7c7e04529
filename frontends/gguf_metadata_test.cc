#include "frontends/gguf_metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <limits>
#include <optional>

namespace weft {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class GgufMetadataTest : public testing::Test {
 protected:
  // The bytes of the values; a deque, so that views stay valid.
  template <typename T>
  absl::Span<const uint8_t> Keep(const std::vector<T>& values) {
    std::vector<uint8_t>& bytes = storage_.emplace_back(1 + values.size() * sizeof(T));
    // From an odd address: values in files are not aligned.
    if (!values.empty()) std::memcpy(bytes.data() + 1, values.data(), values.size() * sizeof(T));
    return absl::MakeConstSpan(bytes).subspan(1);
  }
  template <typename T>
  void Scalar(absl::string_view key, GgufType type, T value) {
    ASSERT_TRUE(metadata_.Add(key, {.type = type, .bytes = Keep(std::vector<T>{value})}));
  }
  template <typename T>
  void Array(absl::string_view key, GgufType element, const std::vector<T>& values) {
    ASSERT_TRUE(metadata_.Add(key, {.type = GgufType::kArray,
                                    .element = element,
                                    .count = values.size(),
                                    .bytes = Keep(values)}));
  }

  std::deque<std::vector<uint8_t>> storage_;
  GgufMetadata metadata_{"m.gguf"};
};

TEST_F(GgufMetadataTest, IntegersOfAnyWidth) {
  Scalar<uint8_t>("u8", GgufType::kU8, 200);
  Scalar<int8_t>("i8", GgufType::kI8, -5);
  Scalar<uint16_t>("u16", GgufType::kU16, 65535);
  Scalar<int16_t>("i16", GgufType::kI16, -300);
  Scalar<uint32_t>("u32", GgufType::kU32, 4'000'000'000u);
  Scalar<int32_t>("i32", GgufType::kI32, 70'000);
  Scalar<uint64_t>("u64", GgufType::kU64, std::numeric_limits<uint64_t>::max());
  Scalar<int64_t>("i64", GgufType::kI64, -1);
  EXPECT_EQ(*metadata_.GetU32("u8"), 200u);
  EXPECT_EQ(*metadata_.GetI32("i8"), -5);
  EXPECT_EQ(*metadata_.GetU64("u16"), 65535u);
  EXPECT_EQ(*metadata_.GetI32("i16"), -300);
  EXPECT_EQ(*metadata_.GetU32("u32"), 4'000'000'000u);
  EXPECT_EQ(*metadata_.GetU32("i32"), 70'000u);
  EXPECT_EQ(*metadata_.GetU64("u64"), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(*metadata_.GetI32("i64"), -1);
  EXPECT_EQ(metadata_.GetU32("i64").status().message(),
            "m.gguf: key 'i64' (byte 0) has a value that does not fit u32");
  EXPECT_FALSE(metadata_.GetI32("u32").ok());
  EXPECT_FALSE(metadata_.GetU32("u64").ok());
  EXPECT_FALSE(metadata_.GetU64("i8").ok());
  EXPECT_THAT(metadata_.keys().size(), 8u);
  EXPECT_EQ(metadata_.keys()[2], "u16");
}

TEST_F(GgufMetadataTest, TokenIds) {
  Scalar<uint32_t>("id", GgufType::kU32, 7);
  Scalar<uint32_t>("none of 32 bits", GgufType::kU32, 0xffffffff);
  Scalar<int32_t>("none", GgufType::kI32, -1);
  Scalar<uint32_t>("large", GgufType::kU32, 0x80000000);
  Scalar<int8_t>("negative", GgufType::kI8, -2);
  EXPECT_EQ(*metadata_.GetTokenId("id"), std::optional(7));
  for (const char* none : {"none of 32 bits", "none", "absent"})
    EXPECT_EQ(*metadata_.GetTokenId(none), std::nullopt) << none;
  for (const char* wrong : {"large", "negative"})
    EXPECT_THAT(std::string(metadata_.GetTokenId(wrong).status().message()), HasSubstr(wrong));
}

TEST_F(GgufMetadataTest, OtherScalars) {
  Scalar<float>("f32", GgufType::kF32, 1.5f);
  Scalar<double>("f64", GgufType::kF64, -2.25);
  Scalar<uint8_t>("yes", GgufType::kBool, 1);
  ASSERT_TRUE(metadata_.Add(
      "text", {.type = GgufType::kString, .bytes = Keep(std::vector<char>{'a', 'b'})}));
  EXPECT_EQ(*metadata_.GetF32("f32"), 1.5f);
  EXPECT_EQ(*metadata_.GetF32("f64"), -2.25f);
  EXPECT_TRUE(*metadata_.GetBool("yes"));
  EXPECT_EQ(*metadata_.GetString("text"), "ab");
  EXPECT_EQ(metadata_.GetString("f32").status().message(),
            "m.gguf: key 'f32' (byte 0) is of type f32, not a string");
  EXPECT_FALSE(metadata_.GetBool("f32").ok());
  EXPECT_FALSE(metadata_.GetF32("yes").ok());
  EXPECT_FALSE(metadata_.GetU32("yes").ok());
  EXPECT_FALSE(metadata_.GetU32("text").ok());
}

TEST_F(GgufMetadataTest, MissingKeysAndFallbacks) {
  Scalar<float>("f", GgufType::kF32, 1);
  EXPECT_TRUE(absl::IsNotFound(metadata_.GetU32("no").status()));
  EXPECT_THAT(std::string(metadata_.GetU32("no").status().message()),
              HasSubstr("m.gguf: key 'no' is missing"));
  EXPECT_TRUE(absl::IsNotFound(metadata_.GetStringArray("no").status()));
  EXPECT_EQ(*metadata_.GetU32Or("no", 7), 7u);
  EXPECT_EQ(*metadata_.GetF32Or("no", 0.5f), 0.5f);
  EXPECT_EQ(*metadata_.GetF32Or("f", 0.5f), 1.0f);
  EXPECT_TRUE(*metadata_.GetBoolOr("no", true));
  EXPECT_EQ(*metadata_.GetStringOr("no", "x"), "x");
  EXPECT_FALSE(metadata_.GetU32Or("f", 7).ok()) << "a wrong type is no missing key";
  EXPECT_TRUE(metadata_.Has("f"));
  EXPECT_FALSE(metadata_.Has("no"));
  EXPECT_FALSE(metadata_.Add("f", {}));
}

TEST_F(GgufMetadataTest, Arrays) {
  Array<int32_t>("i32", GgufType::kI32, {1, -2, 3});
  Array<uint64_t>("u64", GgufType::kU64, {1, 1ull << 40});
  Array<float>("f32", GgufType::kF32, {0.5f, -1});
  Array<uint8_t>("bool", GgufType::kBool, {1, 0, 1});
  Array<uint32_t>("empty", GgufType::kU32, {});
  ASSERT_TRUE(metadata_.Add(
      "text",
      {.type = GgufType::kArray, .element = GgufType::kString, .count = 2, .strings = {"a", ""}}));
  EXPECT_THAT(*metadata_.GetI32Array("i32"), ElementsAre(1, -2, 3));
  EXPECT_THAT(*metadata_.GetI32Array("empty"), ElementsAre());
  EXPECT_THAT(*metadata_.GetF32Array("f32"), ElementsAre(0.5f, -1));
  EXPECT_THAT(*metadata_.GetBoolArray("bool"), ElementsAre(true, false, true));
  EXPECT_THAT(*metadata_.GetStringArray("text"), ElementsAre("a", ""));
  EXPECT_THAT(std::string(metadata_.GetI32Array("u64").status().message()),
              HasSubstr("does not fit i32"));
  EXPECT_EQ(metadata_.GetI32Array("f32").status().message(),
            "m.gguf: key 'f32' (byte 0) is of type array of f32, not an array of integers");
  EXPECT_FALSE(metadata_.GetF32Array("i32").ok());
  EXPECT_FALSE(metadata_.GetBoolArray("i32").ok());
  EXPECT_FALSE(metadata_.GetStringArray("i32").ok());
  EXPECT_FALSE(metadata_.GetU32("i32").ok());
  EXPECT_FALSE(metadata_.GetI32Array("text").ok());
}

}  // namespace
}  // namespace weft
