#include "runtime/text/jinja_functions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "runtime/text/jinja_test_util.h"

namespace weft::jinja {
namespace {

std::string Called(const std::string& name, const Arguments& arguments) {
  TestContext t;
  const auto functions = GlobalFunctions(t.context);
  for (const auto& [function, value] : *functions) {
    if (function == name) return t.Repr(value.AsObject().Call(t.context, arguments));
  }
  return "no such function";
}

TEST(Functions, RangeIsBounded) {
  EXPECT_EQ(Called("range", {{Int(3)}, {}}), "range(0, 3)");
  EXPECT_EQ(Called("range", {{Int(3), Int(0), Int(-1)}, {}}), "range(3, 0, -1)");
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(Called("range", {{Int(kMax)}, {}}), "error: 'range' gives at most 100000 numbers");
  EXPECT_EQ(Called("range", {{Int(kMax - 1), Int(kMax), Int(kMax)}, {}}).substr(0, 6), "range(");
  EXPECT_EQ(Called("range", {{Int(1), Int(2), Int(0)}, {}}),
            "error: the step of 'range' cannot be zero");
}

TEST(Functions, DictAndNamespaceTakePairsAndNames) {
  TestContext t;
  const Value pairs = t.List({t.Tuple({Text("a"), Int(1)})});
  EXPECT_EQ(Called("dict", {{pairs}, {{Text("b"), Int(2)}}}), "{'a': 1, 'b': 2}");
  EXPECT_EQ(Called("namespace", {{pairs}, {{Text("a"), Int(2)}}}), "<Namespace {'a': 2}>");
  EXPECT_EQ(Called("dict", {{t.List({Int(1)})}, {}}),
            "error: a value of type 'int' cannot be iterated over");
}

TEST(Functions, RaiseExceptionRaises) {
  EXPECT_EQ(Called("raise_exception", {{Text("as it is")}, {}}), "error: as it is");
}

TEST(Functions, StrftimeIsBounded) {
  Arguments wide;
  wide.positional = {Text("%1000000d")};
  EXPECT_EQ(Called("strftime_now", wide), "''");
  EXPECT_EQ(Called("strftime_now", {{Text("x%%")}, {}}), "'x%'");
  EXPECT_EQ(Called("strftime_now", {{Int(1)}, {}}),
            "error: a value of type 'int' is no format of 'strftime_now'");
  EXPECT_THAT(Called("strftime_now", {{Text(std::string(1 << 20, 'x'))}, {}}),
              ::testing::StartsWith("error: the template makes a text"));
}

}  // namespace
}  // namespace weft::jinja
