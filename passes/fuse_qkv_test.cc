// What the pass does is in tests/passes/fuse_qkv*.wir; here: it keeps the numbers.
#include "passes/fuse_qkv.h"

#include <gtest/gtest.h>

#include "passes/test_models.h"

namespace weft::passes {
namespace {

TEST(FuseQkvTest, KeepsTheNumbers) { ExpectSameNumbers("fuse-qkv", false); }

}  // namespace
}  // namespace weft::passes
