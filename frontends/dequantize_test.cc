#include "frontends/dequantize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "frontends/dequantize_test_util.h"

namespace weft {
namespace {

using testing::ElementsAre;

TEST(Dequantize, Q8_0AndBF16AsTheGgufPackage) {
  ExpectOracle(DataType::kQ8_0, "Q8_0");
  ExpectOracle(DataType::kQ8_0, "Q8_0_min128");
  ExpectOracle(DataType::kBF16, "BF16");
}

template <typename T>
std::vector<float> From(DataType type, const std::vector<T>& values) {
  std::vector<uint8_t> bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  std::vector<float> result(values.size());
  Dequantize(type, bytes.data(), static_cast<int64_t>(values.size()), result.data());
  return result;
}

TEST(Dequantize, Floats) {
  EXPECT_THAT(From<float>(DataType::kF32, {1.5f, -0.25f}), ElementsAre(1.5f, -0.25f));
  EXPECT_THAT(From<double>(DataType::kF64, {1.5, 0.1}), ElementsAre(1.5f, 0.1f));
  EXPECT_THAT(From<uint16_t>(DataType::kF16, {0x3c00, 0xc000, 0x0001}),
              ElementsAre(1.0f, -2.0f, 0x1p-24f));
  EXPECT_THAT(From<uint16_t>(DataType::kBF16, {0x3f80}), ElementsAre(1.0f));
  Dequantize(DataType::kF32, nullptr, 0, nullptr);
}

TEST(Dequantize, EveryBlockTypeOfFiles) {
  for (const DataType type :
       {DataType::kI8, DataType::kI16, DataType::kI32, DataType::kI64, DataType::kU8}) {
    EXPECT_FALSE(CanDequantize(type)) << Name(type);
  }
  for (int i = 0; i <= static_cast<int>(DataType::kNVFP4); ++i) {
    const auto type = static_cast<DataType>(i);
    EXPECT_TRUE(CanDequantize(type) || !IsBlockType(type)) << Name(type);
  }
}

// Every byte pattern is a block: nothing may index outside of the tables (seen by the sanitizer
// builds).
TEST(Dequantize, AnyBytes) {
  for (int i = 0; i <= static_cast<int>(DataType::kNVFP4); ++i) {
    const auto type = static_cast<DataType>(i);
    if (!CanDequantize(type)) continue;
    const DataTypeInfo& info = GetInfo(type);
    for (int fill = 0; fill < 256; ++fill) {
      const std::vector<uint8_t> block(info.block_bytes, static_cast<uint8_t>(fill));
      std::vector<float> values(info.block_values);
      Dequantize(type, block.data(), info.block_values, values.data());
    }
  }
}

}  // namespace
}  // namespace weft
