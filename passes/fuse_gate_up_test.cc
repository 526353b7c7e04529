// What the pass does is in tests/passes/fuse_gate_up*.wir; here: it keeps the numbers.
#include "passes/fuse_gate_up.h"

#include <gtest/gtest.h>

#include "passes/test_models.h"

namespace weft::passes {
namespace {

TEST(FuseGateUpTest, KeepsTheNumbers) { ExpectSameNumbers("fuse-gate-up", false); }

}  // namespace
}  // namespace weft::passes
