#include "runtime/abi/q8_0.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace weft {
namespace {

// The bytes of one tensor of the oracle's vectors (made by the gguf package; see
// tests/oracle/make_vectors.py and make_q8_0_edges.py).
template <typename T>
std::vector<T> OracleTensor(const std::string& name, const std::string& of = "dequant") {
  std::ifstream stream("tests/oracle/vectors/" + of + ".safetensors", std::ios::binary);
  const std::string file{std::istreambuf_iterator<char>(stream), {}};
  uint64_t header_bytes = 0;
  EXPECT_GT(file.size(), sizeof(header_bytes));
  std::memcpy(&header_bytes, file.data(), sizeof(header_bytes));
  const auto offsets =
      nlohmann::json::parse(file.substr(8, header_bytes)).at(name).at("data_offsets");
  const size_t begin = offsets.at(0);
  const size_t bytes = offsets.at(1).get<size_t>() - begin;
  std::vector<T> values(bytes / sizeof(T));
  std::memcpy(values.data(), file.data() + 8 + header_bytes + begin, bytes);
  return values;
}

TEST(Q8_0, QuantisesAsTheGgufPackage) {
  const auto input = OracleTensor<float>("quantize_Q8_0.f32");
  const auto expected = OracleTensor<uint8_t>("quantize_Q8_0.raw");
  ASSERT_EQ(expected.size(), input.size() / kQ8BlockValues * kQ8BlockBytes);
  std::vector<uint8_t> blocks(expected.size());
  QuantizeQ8_0(input.data(), static_cast<int64_t>(input.size()), blocks.data());
  EXPECT_EQ(blocks, expected);
}

// Scales that are subnormal in F16, tie between two of them, round to zero (the quants stay), or
// are the largest; values that are subnormal in F32.
TEST(Q8_0, QuantisesEdgesAsTheGgufPackage) {
  const auto input = OracleTensor<float>("x", "q8_0-edges");
  const auto expected = OracleTensor<uint8_t>("raw", "q8_0-edges");
  const size_t count = input.size() / kQ8BlockValues;
  ASSERT_GT(count, 300U);
  ASSERT_EQ(expected.size(), count * kQ8BlockBytes);
  for (size_t i = 0; i < count; ++i) {
    std::vector<uint8_t> block(kQ8BlockBytes);
    QuantizeQ8_0(&input[i * kQ8BlockValues], kQ8BlockValues, block.data());
    const auto begin = expected.begin() + static_cast<std::ptrdiff_t>(i * kQ8BlockBytes);
    EXPECT_EQ(block, std::vector<uint8_t>(begin, begin + kQ8BlockBytes)) << "block " << i;
  }
}

TEST(Q8_0, DequantisesAsTheGgufPackage) {
  for (const std::string name : {"Q8_0", "Q8_0_min128"}) {
    const auto blocks = OracleTensor<uint8_t>(name + ".raw");
    const auto expected = OracleTensor<uint32_t>(name + ".f32");
    std::vector<float> values(expected.size());
    DequantizeQ8_0(blocks.data(), static_cast<int64_t>(values.size()), values.data());
    for (size_t i = 0; i < values.size(); ++i) {
      ASSERT_EQ(std::bit_cast<uint32_t>(values[i]), expected[i]) << name << " value " << i;
    }
  }
}

TEST(Q8_0, RoundsHalfAwayFromZero) {
  float x[kQ8BlockValues] = {127, 0.5f, -0.5f, 0.49999997f, -1.5f, 126.5f};
  uint8_t block[kQ8BlockBytes];
  QuantizeQ8_0(x, kQ8BlockValues, block);
  EXPECT_EQ(block[0] | (block[1] << 8), 0x3c00) << "scale 1";
  const auto quant = [&](int i) { return static_cast<int>(static_cast<int8_t>(block[2 + i])); };
  EXPECT_THAT((std::vector<int>{quant(0), quant(1), quant(2), quant(3), quant(4), quant(5)}),
              testing::ElementsAre(127, 1, -1, 0, -2, 127));
}

TEST(Q8_0, ExtremesAreDefined) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float extreme : {infinity, -infinity, std::nanf(""), 1e-45f, 3e38f}) {
    float x[kQ8BlockValues] = {1.0f, extreme};
    if (std::fabs(extreme) < 1) x[0] = 0;
    uint8_t block[kQ8BlockBytes];
    QuantizeQ8_0(x, kQ8BlockValues, block);
    EXPECT_EQ(block[2], 0) << extreme;
    EXPECT_EQ(block[3], extreme == 3e38f ? 127 : 0) << extreme;
  }
}

}  // namespace
}  // namespace weft
