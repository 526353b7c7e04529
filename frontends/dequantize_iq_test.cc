#include "frontends/dequantize_test_util.h"

namespace weft {
namespace {

TEST(DequantizeIq, IQ1_S) { ExpectOracle(DataType::kIQ1_S, "IQ1_S"); }
TEST(DequantizeIq, IQ1_M) { ExpectOracle(DataType::kIQ1_M, "IQ1_M"); }
TEST(DequantizeIq, IQ2_XXS) { ExpectOracle(DataType::kIQ2_XXS, "IQ2_XXS"); }
TEST(DequantizeIq, IQ2_XS) { ExpectOracle(DataType::kIQ2_XS, "IQ2_XS"); }
TEST(DequantizeIq, IQ2_S) { ExpectOracle(DataType::kIQ2_S, "IQ2_S"); }
TEST(DequantizeIq, IQ3_XXS) { ExpectOracle(DataType::kIQ3_XXS, "IQ3_XXS"); }
TEST(DequantizeIq, IQ3_S) { ExpectOracle(DataType::kIQ3_S, "IQ3_S"); }
TEST(DequantizeIq, IQ4_NL) { ExpectOracle(DataType::kIQ4_NL, "IQ4_NL"); }
TEST(DequantizeIq, IQ4_XS) { ExpectOracle(DataType::kIQ4_XS, "IQ4_XS"); }

}  // namespace
}  // namespace weft
