#include "runtime/text/jinja_sequence_filters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "runtime/text/jinja_test_util.h"

namespace weft::jinja {
namespace {

std::string Applied(absl::string_view name, const Value& input, const Arguments& arguments = {}) {
  TestContext t;
  absl::StatusOr<Value> result = ApplyFilter(t.context, name, input, arguments);
  if (result.ok() && result->is_sequence()) result = ApplyFilter(t.context, "list", *result, {});
  return t.Repr(result);
}

TEST(SequenceFilters, EveryNameIsThereOnce) {
  std::set<std::string> names;
  for (const FilterEntry& filter : SequenceFilters())
    EXPECT_TRUE(names.insert(std::string(filter.name)).second) << filter.name;
}

TEST(SequenceFilters, FollowPathsOfAttributes) {
  TestContext t;
  const Value people =
      t.List({t.Map({{Text("a"), t.Map({{Text("b"), t.List({Int(7)})}})}}), t.Map({})});
  EXPECT_EQ(Applied("map", t.List({people.AsSequence().items[0]}),
                    {{}, {{Text("attribute"), Text("a.b.0")}}}),
            "[7]");
  EXPECT_EQ(Applied("map", people, {{}, {{Text("attribute"), Text("a.b.0")}}}),
            "error: 'dict' has no attribute 'a'");
  EXPECT_EQ(
      Applied("map", people, {{}, {{Text("attribute"), Text("a")}, {Text("default"), Int(0)}}}),
      "[{'b': [7]}, 0]");
}

TEST(SequenceFilters, FirstTakesOneOfAnIterator) {
  TestContext t;
  const Value iterator = *t.context.NewSequence(SequenceKind::kIterator, {Int(1), Int(2), Int(3)});
  EXPECT_EQ(ApplyFilter(t.context, "first", iterator, {})->AsInt(), 1);
  EXPECT_EQ(t.Repr(ApplyFilter(t.context, "list", iterator, {})), "[2, 3]");
}

TEST(SequenceFilters, JoinReadsASeparatorThatStillIs) {
  TestContext t;
  // Longer than a string holds in itself: a copy that is gone shows, in the heap and on the stack.
  const std::string separator(100, '-');
  EXPECT_EQ(Applied("join", t.List({Int(1), Int(2)}), {{Text(separator)}, {}}),
            "'1" + separator + "2'");
  EXPECT_EQ(Applied("join", t.List({Int(1), Int(2)}), {{Text(", ")}, {}}), "'1, 2'");
  EXPECT_EQ(Applied("join", t.List({Int(1), Int(2)})), "'12'");
}

TEST(SequenceFilters, SortIgnoresCaseUnlessTold) {
  TestContext t;
  const Value words = t.List({Text("b"), Text("A"), Text("a"), Text("B")});
  EXPECT_EQ(Applied("sort", words), "['A', 'a', 'b', 'B']");
  EXPECT_EQ(Applied("sort", words, {{}, {{Text("case_sensitive"), Int(1)}}}),
            "['A', 'B', 'a', 'b']");
  EXPECT_EQ(Applied("sort", words, {{Int(1)}, {}}), "['b', 'B', 'A', 'a']");
  EXPECT_EQ(Applied("unique", words), "['b', 'A']");
}

TEST(SequenceFilters, SelectKnowsTests) {
  TestContext t;
  const Value numbers = t.List({Int(1), Int(2), Int(3)});
  EXPECT_EQ(Applied("select", numbers, {{Text("gt"), Int(1)}, {}}), "[2, 3]");
  EXPECT_EQ(Applied("reject", numbers, {{Text("odd")}, {}}), "[2]");
  EXPECT_EQ(Applied("select", numbers, {{Text("nope")}, {}}),
            "error: the test 'nope' is not supported");
  EXPECT_EQ(Applied("select", numbers, {{Int(1)}, {}}),
            "error: a value of type 'int' is no test's name");
}

TEST(SequenceFilters, BatchChecksItsSize) {
  TestContext t;
  EXPECT_EQ(Applied("batch", t.List({Int(1), Int(2), Int(3)}), {{Int(2), Text("-")}, {}}),
            "[[1, 2], [3, '-']]");
  EXPECT_FALSE(ApplyFilter(t.context, "batch", t.List({}), {{Int(0)}, {}}).ok());
  EXPECT_FALSE(ApplyFilter(t.context, "batch", t.List({}), {{Int(1 << 30)}, {}}).ok());
}

}  // namespace
}  // namespace weft::jinja
