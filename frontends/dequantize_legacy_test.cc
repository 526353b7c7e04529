#include "frontends/dequantize_test_util.h"

namespace weft {
namespace {

TEST(DequantizeLegacy, Q4_0) { ExpectOracle(DataType::kQ4_0, "Q4_0"); }
TEST(DequantizeLegacy, Q4_1) { ExpectOracle(DataType::kQ4_1, "Q4_1"); }
TEST(DequantizeLegacy, Q5_0) { ExpectOracle(DataType::kQ5_0, "Q5_0"); }
TEST(DequantizeLegacy, Q5_1) { ExpectOracle(DataType::kQ5_1, "Q5_1"); }

}  // namespace
}  // namespace weft
