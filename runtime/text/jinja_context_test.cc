#include "runtime/text/jinja_context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/text/jinja_test_util.h"

namespace weft::jinja {
namespace {

using ::testing::HasSubstr;

TEST(Context, StepsRunOut) {
  Limits limits;
  limits.steps = 10;
  Context context(limits, std::tm());
  EXPECT_TRUE(context.Step(10).ok());
  EXPECT_EQ(context.Step().code(), absl::StatusCode::kResourceExhausted);
  Context other(limits, std::tm());
  EXPECT_FALSE(other.Step(size_t(-1)).ok());
  EXPECT_FALSE(other.Read(10 * Context::kBytesPerStep).ok());
  EXPECT_TRUE(other.Read(9 * Context::kBytesPerStep).ok());
}

TEST(Context, MemoryRunsOut) {
  Limits limits;
  limits.text_bytes = 100;
  limits.total_bytes = 1000;
  Context context(limits, std::tm());
  EXPECT_TRUE(context.NewString(std::string(100, 'x')).ok());
  EXPECT_FALSE(context.NewString(std::string(101, 'x')).ok());
  EXPECT_FALSE(context.Charge(size_t(-1)).ok());
  absl::StatusOr<Value> last = Value();
  int made = 0;
  while (last.ok() && made < 1000) {
    last = context.NewString("x");
    ++made;
  }
  EXPECT_LT(made, 20);
}

TEST(Context, ListsDoNotNestWithoutEnd) {
  TestContext t;
  absl::StatusOr<Value> list = t.context.NewList({});
  int depth = 1;
  while (list.ok() && depth < 1000) {
    list = t.context.NewList({*list});
    ++depth;
  }
  EXPECT_EQ(depth, Limits().value_depth + 1);
}

TEST(Context, DepthGuardStopsRecursion) {
  Limits limits;
  limits.call_depth = 2;
  Context context(limits, std::tm());
  Context::DepthGuard one(context);
  {
    Context::DepthGuard two(context);
    EXPECT_TRUE(two.Check().ok());
    Context::DepthGuard three(context);
    EXPECT_EQ(three.Check().code(), absl::StatusCode::kResourceExhausted);
  }
  EXPECT_TRUE(one.Check().ok());
}

TEST(Context, TimeRunsOut) {
  Limits limits;
  limits.seconds = 0;
  Context context(limits, std::tm());
  EXPECT_EQ(context.Step(1'000'000).message(), "the template takes more than 0 s; it may not end");
  absl::Status status;
  for (int i = 0; i < 1000 && status.ok(); ++i) status = context.Step();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
}

TEST(Context, ShowsLongNamesCut) {
  EXPECT_EQ(Shown("short"), "short");
  EXPECT_EQ(Shown(std::string(1000, 'a')), std::string(100, 'a') + "…");
  EXPECT_EQ(Shown(std::string(99, 'a') + "éé"), std::string(99, 'a') + "…");
}

TEST(Context, LocatesOnceAndLeavesRaisedMessages) {
  TestContext t;
  const absl::Status located = t.context.Locate(absl::InvalidArgumentError("bad"), 3);
  EXPECT_EQ(located.message(), "chat template, line 3: bad");
  EXPECT_EQ(t.context.Locate(located, 1).message(), "chat template, line 3: bad");
  TestContext u;
  EXPECT_EQ(u.context.Locate(u.context.Raise("stop"), 3).message(), "stop");
  EXPECT_TRUE(u.context.raised());
}

TEST(Bind, FollowsPythonsRules) {
  Arguments arguments;
  arguments.positional = {Int(1)};
  arguments.named = {{Text("c"), Int(3)}};
  const auto bound = Bind(arguments, "f", {"a", "b", "c"}, 1);
  ASSERT_TRUE(bound.ok());
  EXPECT_EQ((*bound)[0]->AsInt(), 1);
  EXPECT_EQ((*bound)[1], nullptr);
  EXPECT_EQ((*bound)[2]->AsInt(), 3);
  EXPECT_THAT(std::string(Bind(arguments, "f", {"a"}).status().message()),
              HasSubstr("no argument 'c'"));
  EXPECT_THAT(std::string(Bind(arguments, "f", {"c"}).status().message()),
              HasSubstr("more than once"));
  EXPECT_THAT(std::string(Bind(arguments, "f", {}).status().message()), HasSubstr("at most 0"));
  EXPECT_THAT(std::string(Bind({}, "f", {"a"}, 1).status().message()),
              HasSubstr("needs its argument 'a'"));
}

}  // namespace
}  // namespace weft::jinja
