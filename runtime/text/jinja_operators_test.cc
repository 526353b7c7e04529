#include "runtime/text/jinja_operators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "runtime/text/jinja_test_util.h"

namespace weft::jinja {
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
constexpr int64_t kMin = std::numeric_limits<int64_t>::min();

std::string Result(BinaryOp op, const Value& a, const Value& b) {
  TestContext t;
  return t.Repr(Binary(t.context, op, a, b));
}

TEST(Operators, DivideAsPythonDoes) {
  EXPECT_EQ(Result(BinaryOp::kDivide, Int(8), Int(2)), "4.0");
  EXPECT_EQ(Result(BinaryOp::kFloorDivide, Int(-7), Int(2)), "-4");
  EXPECT_EQ(Result(BinaryOp::kModulo, Int(-7), Int(3)), "2");
  EXPECT_EQ(Result(BinaryOp::kModulo, Int(7), Int(-3)), "-2");
  EXPECT_EQ(Result(BinaryOp::kModulo, Float(-7.5), Int(2)), "0.5");
  EXPECT_EQ(Result(BinaryOp::kFloorDivide, Float(-7.5), Int(2)), "-4.0");
  for (BinaryOp op : {BinaryOp::kDivide, BinaryOp::kFloorDivide, BinaryOp::kModulo}) {
    EXPECT_EQ(Result(op, Int(1), Int(0)), "error: division by zero");
    EXPECT_EQ(Result(op, Float(1), Float(0)), "error: division by zero");
  }
}

TEST(Operators, OverflowIsAnError) {
  EXPECT_EQ(Result(BinaryOp::kAdd, Int(kMax), Int(1)),
            "error: the result of '+' does not fit 64 bits");
  EXPECT_EQ(Result(BinaryOp::kSubtract, Int(kMin), Int(1)),
            "error: the result of '-' does not fit 64 bits");
  EXPECT_EQ(Result(BinaryOp::kMultiply, Int(kMin), Int(-1)),
            "error: the result of '*' does not fit 64 bits");
  EXPECT_EQ(Result(BinaryOp::kFloorDivide, Int(kMin), Int(-1)),
            "error: the result of '//' does not fit 64 bits");
  EXPECT_EQ(Result(BinaryOp::kModulo, Int(kMin), Int(-1)), "0");
  EXPECT_EQ(Result(BinaryOp::kPower, Int(10), Int(19)),
            "error: the result of '**' does not fit 64 bits");
  EXPECT_EQ(Result(BinaryOp::kPower, Int(-2), Int(63)), "-9223372036854775808");
  EXPECT_EQ(Result(BinaryOp::kPower, Int(1), Int(kMax)), "1");
  EXPECT_FALSE(Negate(Int(kMin)).ok());
}

TEST(Operators, RepeatingIsBounded) {
  TestContext t;
  EXPECT_EQ(Result(BinaryOp::kMultiply, Text("ab"), Int(2)), "'abab'");
  EXPECT_EQ(Result(BinaryOp::kMultiply, Int(-1), Text("ab")), "''");
  for (int64_t count : {kMax, int64_t{1} << 30}) {
    EXPECT_EQ(Binary(t.context, BinaryOp::kMultiply, Text("ab"), Int(count)).status().code(),
              absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(Binary(t.context, BinaryOp::kMultiply, t.List({None()}), Int(count)).status().code(),
              absl::StatusCode::kResourceExhausted);
    EXPECT_TRUE(Binary(t.context, BinaryOp::kMultiply, Text(""), Int(count)).ok());
    EXPECT_TRUE(Binary(t.context, BinaryOp::kMultiply, t.List({}), Int(count)).ok());
  }
}

TEST(Operators, TypesMustFit) {
  TestContext t;
  EXPECT_EQ(Result(BinaryOp::kAdd, Text("a"), Int(1)),
            "error: '+' does not work on 'str' and 'int'");
  EXPECT_EQ(Result(BinaryOp::kAdd, Value::MakeUndefined("'x' is undefined"), Text("a")),
            "error: 'x' is undefined");
  EXPECT_FALSE(Less(t.context, Text("a"), Int(1)).ok());
  EXPECT_EQ(Binary(t.context, BinaryOp::kModulo, Text("%s"), Int(1)).status().code(),
            absl::StatusCode::kUnimplemented);
}

TEST(Operators, EqualityCrossesNumbers) {
  TestContext t;
  EXPECT_TRUE(*Equal(t.context, Int(1), Float(1)));
  EXPECT_TRUE(*Equal(t.context, Int(1), Value::MakeBool(true)));
  EXPECT_FALSE(*Equal(t.context, Int((int64_t{1} << 53) + 1), Float(0x1p53)));
  EXPECT_FALSE(*Equal(t.context, Float(NAN), Float(NAN)));
  EXPECT_FALSE(*Equal(t.context, Float(NAN), Int(1)));
  EXPECT_FALSE(*Equal(t.context, t.List({}), t.Tuple({})));
  EXPECT_TRUE(*Equal(t.context, t.Map({{Text("a"), Int(1)}, {Text("b"), Int(2)}}),
                     t.Map({{Text("b"), Int(2)}, {Text("a"), Int(1)}})));
}

TEST(SortBy, IsStableBothWays) {
  TestContext t;
  std::vector<std::pair<int, char>> items = {{2, 'a'}, {1, 'b'}, {2, 'c'}, {1, 'd'}, {3, 'e'}};
  auto key = [](const std::pair<int, char>& item) { return Int(item.first); };
  auto letters = [&] {
    std::string out;
    for (const auto& item : items) out += item.second;
    return out;
  };
  ASSERT_TRUE(SortBy(t.context, items, key, false).ok());
  EXPECT_EQ(letters(), "bdace");
  ASSERT_TRUE(SortBy(t.context, items, key, true).ok());
  EXPECT_EQ(letters(), "eacbd");
}

TEST(SortBy, SurvivesKeysWithoutOrder) {
  TestContext t;
  std::vector<Value> items;
  for (int i = 0; i < 1000; ++i) items.push_back(Float(i % 3 == 0 ? NAN : -i));
  EXPECT_TRUE(SortBy(t.context, items, [](const Value& v) { return v; }, false).ok());
  EXPECT_EQ(items.size(), 1000u);
  items[500] = Text("x");
  EXPECT_FALSE(SortBy(t.context, items, [](const Value& v) { return v; }, false).ok());
}

}  // namespace
}  // namespace weft::jinja
