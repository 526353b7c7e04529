// What the pass does is in tests/passes/canonicalise*.wir; here: it keeps the numbers.
#include "passes/canonicalise.h"

#include <gtest/gtest.h>

#include "passes/test_models.h"

namespace weft::passes {
namespace {

TEST(CanonicaliseTest, KeepsTheNumbers) { ExpectSameNumbers("canonicalise", false); }

}  // namespace
}  // namespace weft::passes
