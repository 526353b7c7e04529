#include "runtime/text/jinja_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/text/jinja_test_util.h"

namespace weft::jinja {
namespace {

TEST(Format, ReprQuotesAsPythonDoes) {
  TestContext t;
  EXPECT_EQ(t.Repr(Text("plain")), "'plain'");
  EXPECT_EQ(t.Repr(Text("it's")), "\"it's\"");
  EXPECT_EQ(t.Repr(Text("it's \"x\"")), "'it\\'s \"x\"'");
  EXPECT_EQ(t.Repr(Text("\\ \n\t\r\x01\x7f")), "'\\\\ \\n\\t\\r\\x01\\x7f'");
  EXPECT_EQ(t.Repr(Text("é日👍")), "'é日👍'");
  EXPECT_EQ(t.Repr(Text("\u00ad\u200b\U000e0041")), "'\\xad\\u200b\\U000e0041'");
  EXPECT_EQ(t.Repr(Text("\xff")), "'\\xff'");
}

TEST(Format, ReprOfContainers) {
  TestContext t;
  EXPECT_EQ(t.Repr(t.List({Int(1), None(), Value::MakeBool(true), Float(2)})),
            "[1, None, True, 2.0]");
  EXPECT_EQ(t.Repr(t.Tuple({Int(1)})), "(1,)");
  EXPECT_EQ(t.Repr(t.Map({{Text("a"), t.List({})}, {Int(1), t.Map({})}})), "{'a': [], 1: {}}");
  EXPECT_EQ(t.Repr(t.List({Value()})), "[Undefined]");
}

TEST(Format, StrLeavesTextAsItIs) {
  TestContext t;
  EXPECT_EQ(Str(t.context, Text("it's"))->AsString(), "it's");
  EXPECT_EQ(Str(t.context, Value())->AsString(), "");
  EXPECT_EQ(Str(t.context, None())->AsString(), "None");
}

TEST(Format, WhatHasNoTextIsAnError) {
  TestContext t;
  EXPECT_FALSE(Str(t.context, *t.context.NewSequence(SequenceKind::kIterator, {})).ok());
}

TEST(Format, ANamespaceThatHoldsItselfIsAnError) {
  EXPECT_EQ(Render("{% set n = namespace() %}{% set n.n = n %}{{ n }}").status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(Format, SharedListsDoNotPrintForever) {
  // 2^50 numbers in 50 lists.
  EXPECT_EQ(Render("{% set n = namespace(x=[1]) %}{% for i in range(50) %}{% set n.x = [n.x, n.x] "
                   "%}{% endfor %}{{ n.x }}")
                .status()
                .code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace weft::jinja
