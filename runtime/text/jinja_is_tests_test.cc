#include "runtime/text/jinja_is_tests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/text/jinja_test_util.h"

namespace weft::jinja {
namespace {

bool Is(absl::string_view name, const Value& value, const Arguments& arguments = {}) {
  TestContext t;
  const auto result = ApplyTest(t.context, name, value, arguments);
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() && *result;
}

TEST(IsTests, TellTypesApart) {
  TestContext t;
  EXPECT_TRUE(Is("integer", Int(1)));
  EXPECT_FALSE(Is("integer", Value::MakeBool(true)));
  EXPECT_TRUE(Is("number", Value::MakeBool(true)));
  EXPECT_TRUE(Is("sequence", Text("")));
  EXPECT_TRUE(Is("sequence", t.Map({})));
  EXPECT_FALSE(Is("sequence", *t.context.NewSequence(SequenceKind::kIterator, {})));
  EXPECT_TRUE(Is("iterable", *t.context.NewSequence(SequenceKind::kIterator, {})));
  EXPECT_FALSE(Is("iterable", Int(1)));
  EXPECT_TRUE(Is("mapping", t.Map({})));
  EXPECT_TRUE(Is("none", None()));
  EXPECT_FALSE(Is("defined", Value()));
}

TEST(IsTests, CompareAndCount) {
  EXPECT_TRUE(Is("odd", Int(-3)));
  EXPECT_TRUE(Is("divisibleby", Int(9), {{Int(3)}, {}}));
  EXPECT_TRUE(Is("lessthan", Int(1), {{Int(2)}, {}}));
  EXPECT_TRUE(Is("in", Text("a"), {{Text("cat")}, {}}));
  EXPECT_TRUE(Is("upper", Text("ABC1")));
  EXPECT_FALSE(Is("upper", Text("123")));
}

TEST(IsTests, RefuseWrongArgumentsAndNames) {
  TestContext t;
  EXPECT_FALSE(ApplyTest(t.context, "eq", Int(1), {}).ok());
  EXPECT_FALSE(ApplyTest(t.context, "odd", Int(1), {{Int(1)}, {}}).ok());
  EXPECT_FALSE(ApplyTest(t.context, "odd", Text("a"), {}).ok());
  EXPECT_FALSE(ApplyTest(t.context, "divisibleby", Int(1), {{Int(0)}, {}}).ok());
  EXPECT_EQ(ApplyTest(t.context, "nope", Int(1), {}).status().code(),
            absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace weft::jinja
