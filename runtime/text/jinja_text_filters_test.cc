#include "runtime/text/jinja_text_filters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "runtime/text/jinja_test_util.h"

namespace weft::jinja {
namespace {

std::string Applied(absl::string_view name, const Value& input, const Arguments& arguments = {}) {
  TestContext t;
  return t.Repr(ApplyFilter(t.context, name, input, arguments));
}

TEST(TextFilters, EveryNameIsThereOnce) {
  std::set<std::string> names;
  for (const FilterEntry& filter : TextFilters())
    EXPECT_TRUE(names.insert(std::string(filter.name)).second) << filter.name;
}

TEST(TextFilters, TakeWhatIsNoText) {
  EXPECT_EQ(Applied("upper", None()), "'NONE'");
  EXPECT_EQ(Applied("trim", Value()), "''");
  EXPECT_EQ(Applied("escape", Text("<&'\">")), "'&lt;&amp;&#39;&#34;&gt;'");
  EXPECT_EQ(Applied("safe", Int(5)), "'5'");
}

TEST(TextFilters, IntTruncatesAndFallsBack) {
  EXPECT_EQ(Applied("int", Float(-3.9)), "-3");
  EXPECT_EQ(Applied("int", Text("3.9")), "3");
  EXPECT_EQ(Applied("int", Text("x"), {{Int(7)}, {}}), "7");
  EXPECT_EQ(Applied("int", Float(1e30)), "error: a number does not fit 64 bits");
  EXPECT_EQ(Applied("int", Float(-0x1p63)), "-9223372036854775808");
  EXPECT_EQ(Applied("int", Float(0x1p63)), "error: a number does not fit 64 bits");
}

TEST(TextFilters, IndentAndTrimStayWithinTheLimits) {
  TestContext t;
  EXPECT_EQ(ApplyFilter(t.context, "indent", Text("a\nb"), {{Int(1 << 30)}, {}}).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(
      ApplyFilter(t.context, "tojson", t.List({Int(1)}), {{}, {{Text("indent"), Int(1 << 30)}}})
          .status()
          .code(),
      absl::StatusCode::kResourceExhausted);
  const std::string lines(1 << 16, '\n');
  EXPECT_EQ(ApplyFilter(t.context, "indent", Text(lines), {{Int(1 << 16), Int(0), Int(1)}, {}})
                .status()
                .code(),
            absl::StatusCode::kResourceExhausted);
  const std::string many(1 << 20, 'x');
  EXPECT_EQ(ApplyFilter(t.context, "trim", Text(many), {{Text(many)}, {}}).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(TextFilters, RoundChecksItsArguments) {
  EXPECT_EQ(Applied("round", Float(2.675), {{Int(2)}, {}}), "2.67");
  EXPECT_EQ(Applied("round", Float(1), {{Int(99)}, {}}),
            "error: 'round' takes a precision of 0 to 15");
  EXPECT_EQ(Applied("round", Float(1), {{Int(0), Text("x")}, {}}),
            "error: the method of 'round' is 'common', 'ceil' or 'floor'");
}

}  // namespace
}  // namespace weft::jinja
