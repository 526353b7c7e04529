#include "runtime/text/jinja_methods.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/text/jinja_test_util.h"

namespace weft::jinja {
namespace {

TEST(Methods, AreFoundPerType) {
  TestContext t;
  EXPECT_EQ(*FindMethod(Text("a"), "strip"), MethodKind::kAllowed);
  EXPECT_EQ(*FindMethod(Text("a"), "items"), MethodKind::kNone);
  EXPECT_EQ(*FindMethod(t.Map({}), "items"), MethodKind::kAllowed);
  EXPECT_EQ(*FindMethod(t.Map({}), "pop"), MethodKind::kForbidden);
  EXPECT_EQ(*FindMethod(t.List({}), "append"), MethodKind::kForbidden);
  EXPECT_EQ(*FindMethod(t.Tuple({}), "append"), MethodKind::kNone);
  EXPECT_EQ(*FindMethod(Text("a"), "__class__"), MethodKind::kNone);
  EXPECT_EQ(FindMethod(Text("a"), "format").status().code(), absl::StatusCode::kUnimplemented);
}

TEST(Methods, BindAsValues) {
  TestContext t;
  const auto method = BindMethod(t.context, Text("ab"), "upper");
  ASSERT_TRUE(method.ok());
  EXPECT_TRUE(method->AsObject().IsCallable());
  EXPECT_EQ(method->AsObject().Call(t.context, {})->AsString(), "AB");
}

TEST(Methods, TellWhatIsWrong) {
  TestContext t;
  EXPECT_EQ(t.Repr(CallMethod(t.context, Text("a"), "split", {{Int(1)}, {}})),
            "error: a value of type 'int' was given to 'split', which needs a text");
  EXPECT_EQ(t.Repr(CallMethod(t.context, Text("a"), "split", {{Text("")}, {}})),
            "error: text cannot be split at an empty separator");
  EXPECT_EQ(t.Repr(CallMethod(t.context, Text("a"), "replace", {{Text("")}, {}})),
            "error: method 'replace' needs its argument 'new'");
}

TEST(Methods, ReplaceStaysWithinTheLimits) {
  TestContext t;
  const std::string text(1 << 16, 'a');
  EXPECT_EQ(ReplaceChecked(t.context, text, "a", text, -1).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReplaceChecked(t.context, text, "", text, -1).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReplaceChecked(t.context, text, "a", text, 2)->AsString().size(), 3u * (1 << 16) - 2);
  EXPECT_EQ(ReplaceChecked(t.context, "aXbX", "X", "", -1)->AsString(), "ab");
}

TEST(Methods, SplittingStaysWithinTheLimits) {
  Limits limits;
  limits.total_bytes = 1 << 20;
  Context context(limits, std::tm());
  const Value text = Value::MakeString(std::string(1 << 16, ','));
  EXPECT_EQ(CallMethod(context, text, "split", {{Text(",")}, {}}).status().code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace weft::jinja
