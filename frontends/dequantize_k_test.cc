#include "frontends/dequantize_test_util.h"

namespace weft {
namespace {

TEST(DequantizeK, Q2_K) { ExpectOracle(DataType::kQ2_K, "Q2_K"); }
TEST(DequantizeK, Q3_K) { ExpectOracle(DataType::kQ3_K, "Q3_K"); }
TEST(DequantizeK, Q4_K) { ExpectOracle(DataType::kQ4_K, "Q4_K"); }
TEST(DequantizeK, Q5_K) { ExpectOracle(DataType::kQ5_K, "Q5_K"); }
TEST(DequantizeK, Q6_K) { ExpectOracle(DataType::kQ6_K, "Q6_K"); }

}  // namespace
}  // namespace weft
