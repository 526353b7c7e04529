#include "frontends/dequantize_test_util.h"

namespace weft {
namespace {

TEST(DequantizeTiny, TQ1_0) { ExpectOracle(DataType::kTQ1_0, "TQ1_0"); }
TEST(DequantizeTiny, TQ2_0) { ExpectOracle(DataType::kTQ2_0, "TQ2_0"); }
TEST(DequantizeTiny, MXFP4) { ExpectOracle(DataType::kMXFP4, "MXFP4"); }
TEST(DequantizeTiny, NVFP4) { ExpectOracle(DataType::kNVFP4, "NVFP4"); }

}  // namespace
}  // namespace weft
