// What the pass does is in tests/passes/fuse_epilogue*.wir; here: it keeps the numbers.
#include "passes/fuse_epilogue.h"

#include <gtest/gtest.h>

#include "passes/test_models.h"

namespace weft::passes {
namespace {

TEST(FuseEpilogueTest, KeepsTheNumbers) { ExpectSameNumbers("fuse-epilogue", false); }

}  // namespace
}  // namespace weft::passes
