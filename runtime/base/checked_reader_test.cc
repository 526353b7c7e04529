#include "runtime/base/checked_reader.h"

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <vector>

namespace weft {
namespace {

using testing::HasSubstr;

TEST(CheckedMath, AddsAndMultipliesUpToTheLimit) {
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  EXPECT_EQ(CheckedAdd(kMax - 1, 1), kMax);
  EXPECT_FALSE(CheckedAdd(kMax, 1).has_value());
  EXPECT_EQ(CheckedMul(1ull << 32, (1ull << 32) - 1), 0xffffffff00000000ull);
  EXPECT_FALSE(CheckedMul(1ull << 32, 1ull << 32).has_value());
  EXPECT_EQ(CheckedMul(kMax, 0), 0u);
}

TEST(CheckedMath, AlignsUpToTheLimit) {
  EXPECT_EQ(CheckedAlign(0, 32), 0u);
  EXPECT_EQ(CheckedAlign(1, 32), 32u);
  EXPECT_EQ(CheckedAlign(32, 32), 32u);
  EXPECT_EQ(CheckedAlign(33, 1), 33u);
  EXPECT_EQ(CheckedAlign(~uint64_t{0} - 31, 32), ~uint64_t{0} - 31);
  EXPECT_FALSE(CheckedAlign(~uint64_t{0} - 30, 32).has_value());
  EXPECT_FALSE(CheckedAlign(~uint64_t{0}, uint64_t{1} << 63).has_value());
}

TEST(ByteReader, CountsFitWhatFollows) {
  std::vector<uint8_t> bytes(8 + 20);
  for (const uint64_t count : {uint64_t{0}, uint64_t{5}, uint64_t{6}, uint64_t{1} << 62,
                               (uint64_t{1} << 62) + 5, ~uint64_t{0}}) {
    std::memcpy(bytes.data(), &count, sizeof count);
    ByteReader reader(bytes, "f");
    const auto read = reader.ReadCount(4, "the count");
    EXPECT_EQ(read.ok(), count <= 5) << count;
    if (!read.ok()) {
      EXPECT_EQ(read.status().message(),
                absl::StrCat("f: the count at byte 0 is ", count,
                             ", but only 20 bytes follow (truncated download?)"));
    }
  }
}

TEST(CheckedMath, ProductOfDims) {
  EXPECT_EQ(CheckedProduct({}), 1);
  EXPECT_EQ(CheckedProduct({3, 4, 5}), 60);
  EXPECT_EQ(CheckedProduct({3, 0}), 0);
  EXPECT_FALSE(CheckedProduct({-1, 2}).has_value());
  EXPECT_FALSE(CheckedProduct({1ll << 32, 1ll << 31}).has_value());
  EXPECT_FALSE(CheckedProduct({0, 1ll << 62, 4}).has_value()) << "a zero hides no overflow";
  EXPECT_FALSE(CheckedProduct({1ll << 62, 4, 0}).has_value());
}

TEST(ByteReader, ReadsLittleEndianScalars) {
  const std::vector<uint8_t> bytes = {
      0x01, 0x03, 0x02, 0x07, 0x06, 0x05, 0x04, 8,    7,    6,    5,    4,    3,    2,
      1,    0xff, 0xfe, 0xff, 0xfd, 0xff, 0xff, 0xff, 0xfc, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0,    0,    0xc0, 0x3f, 0,    0,    0,    0,    0,    0,    4,    0xc0};
  ByteReader reader(bytes, "f");
  EXPECT_EQ(*reader.ReadU8("a"), 1);
  EXPECT_EQ(*reader.ReadU16("a"), 0x0203);
  EXPECT_EQ(*reader.ReadU32("a"), 0x04050607u);
  EXPECT_EQ(*reader.ReadU64("a"), 0x0102030405060708u);
  EXPECT_EQ(*reader.ReadI8("a"), -1);
  EXPECT_EQ(*reader.ReadI16("a"), -2);
  EXPECT_EQ(*reader.ReadI32("a"), -3);
  EXPECT_EQ(*reader.ReadI64("a"), -4);
  EXPECT_EQ(*reader.ReadF32("a"), 1.5f);
  EXPECT_EQ(*reader.ReadF64("a"), -2.5);
  EXPECT_EQ(reader.remaining(), 0u);
}

TEST(ByteReader, ErrorsNameFileFieldAndOffset) {
  const std::vector<uint8_t> bytes(10);
  ByteReader reader(bytes, "model.gguf");
  ASSERT_TRUE(reader.Skip(8, "magic").ok());
  EXPECT_EQ(reader.ReadU64("tensor count").status().message(),
            "model.gguf: tensor count at byte 8 needs 8 bytes, but only 2 of the 10 follow "
            "(truncated download?)");
  EXPECT_EQ(reader.offset(), 8u) << "a failed read moves nothing";
  EXPECT_FALSE(reader.ReadBytes(std::numeric_limits<uint64_t>::max(), "x").ok());
  EXPECT_EQ(reader.Error("odd").message(), "model.gguf: byte 8: odd");
}

TEST(ByteReader, StringsAreBounded) {
  const std::vector<uint8_t> bytes = {3,   0, 0, 0, 0, 0, 0, 0, 'a', 'b',
                                      'c', 9, 0, 0, 0, 0, 0, 0, 0,   'x'};
  ByteReader reader(bytes, "f");
  EXPECT_EQ(*reader.ReadString(3, "key"), "abc");
  EXPECT_THAT(std::string(ByteReader(reader).ReadString(8, "key").status().message()),
              HasSubstr("claims a length of 9 bytes"));
  EXPECT_THAT(std::string(reader.ReadString(100, "key").status().message()),
              HasSubstr("needs 9 bytes, but only 1"));
  ByteReader first(bytes, "f");
  EXPECT_FALSE(first.ReadString(2, "key").ok());
}

TEST(ByteReader, Aligns) {
  const std::vector<uint8_t> bytes(33);
  ByteReader reader(bytes, "f");
  EXPECT_TRUE(reader.Align(32, "padding").ok());
  EXPECT_EQ(reader.offset(), 0u);
  ASSERT_TRUE(reader.Skip(1, "x").ok());
  EXPECT_TRUE(reader.Align(32, "padding").ok());
  EXPECT_EQ(reader.offset(), 32u);
  ASSERT_TRUE(reader.Skip(1, "x").ok());
  EXPECT_THAT(std::string(reader.Align(32, "padding").message()), HasSubstr("padding at byte 33"));
}

TEST(ByteReader, EmptyInput) {
  ByteReader reader({}, "f");
  EXPECT_FALSE(reader.ReadU8("x").ok());
  EXPECT_TRUE(reader.ReadBytes(0, "x").ok());
}

}  // namespace
}  // namespace weft
