#include "runtime/text/jinja_value.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/text/jinja_test_util.h"

namespace weft::jinja {
namespace {

TEST(Value, TruthIsPythons) {
  TestContext t;
  for (const Value& value : {Value(), None(), Value::MakeBool(false), Int(0), Float(-0.0), Text(""),
                             t.List({}), t.Tuple({}), t.Map({})}) {
    EXPECT_FALSE(value.Truthy()) << value.TypeName();
  }
  for (const Value& value : {Value::MakeBool(true), Int(-1), Float(0.5), Text(" "),
                             t.List({None()}), t.Map({{Int(0), Int(0)}})}) {
    EXPECT_TRUE(value.Truthy()) << value.TypeName();
  }
  // A generator object is true whatever it gives.
  EXPECT_TRUE(t.context.NewSequence(SequenceKind::kIterator, {})->Truthy());
}

TEST(Value, BoolIsAnInteger) {
  const Value yes = Value::MakeBool(true);
  EXPECT_TRUE(yes.is_integral());
  EXPECT_FALSE(yes.is_int());
  EXPECT_EQ(yes.AsInt(), 1);
  EXPECT_EQ(yes.AsFloat(), 1.0);
}

TEST(Value, TypeNamesArePythons) {
  TestContext t;
  EXPECT_EQ(None().TypeName(), "NoneType");
  EXPECT_EQ(Text("").TypeName(), "str");
  EXPECT_EQ(t.Tuple({}).TypeName(), "tuple");
  EXPECT_EQ(t.Map({}).TypeName(), "dict");
  EXPECT_EQ(Value().TypeName(), "Undefined");
}

TEST(Value, DepthCountsNesting) {
  TestContext t;
  EXPECT_EQ(Int(1).depth(), 0);
  EXPECT_EQ(t.List({}).depth(), 1);
  EXPECT_EQ(t.List({Int(1), t.Map({{Text("k"), t.List({})}})}).depth(), 3);
}

TEST(Value, UndefinedKeepsItsReason) {
  EXPECT_EQ(Value::MakeUndefined("'x' is undefined").UndefinedReason(), "'x' is undefined");
  EXPECT_FALSE(Value().UndefinedReason().empty());
}

TEST(Namespace, SetsAndReplaces) {
  TestContext t;
  Namespace space;
  EXPECT_TRUE(space.Set(t.context, Text("a"), Int(1)).ok());
  EXPECT_TRUE(space.Set(t.context, Text("b"), Int(2)).ok());
  EXPECT_TRUE(space.Set(t.context, Text("a"), Int(3)).ok());
  EXPECT_EQ(space.attributes().size(), 2u);
  EXPECT_EQ(space.Attribute(t.context, "a")->AsInt(), 3);
  EXPECT_TRUE(space.Attribute(t.context, "c")->is_undefined());
  EXPECT_FALSE(space.Call(t.context, {}).ok());
}

}  // namespace
}  // namespace weft::jinja
