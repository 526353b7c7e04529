// What the pass does is in tests/passes/fuse_quantize*.wir; here: it keeps the numbers.
#include "passes/fuse_quantize.h"

#include <gtest/gtest.h>

#include "passes/test_models.h"

namespace weft::passes {
namespace {

TEST(FuseQuantizeTest, KeepsTheNumbers) {
  ExpectSameNumbers("fuse-quantize", true, WeightsMode::kQ8_0);
}

}  // namespace
}  // namespace weft::passes
