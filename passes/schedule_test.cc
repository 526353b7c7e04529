// What the pass does is in tests/passes/schedule*.wir; here: it keeps the numbers.
#include "passes/schedule.h"

#include <gtest/gtest.h>

#include "passes/test_models.h"

namespace weft::passes {
namespace {

TEST(ScheduleTest, KeepsTheNumbers) { ExpectSameNumbers("schedule", true); }

}  // namespace
}  // namespace weft::passes
