#include "runtime/text/jinja_access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "runtime/text/jinja_test_util.h"

namespace weft::jinja {
namespace {

TEST(Access, AttributePrefersMethodsAndItemPrefersKeys) {
  TestContext t;
  const Value map = t.Map({{Text("items"), Int(1)}, {Text("x"), Int(2)}});
  EXPECT_TRUE(GetAttribute(t.context, map, "items")->is_object());
  EXPECT_EQ(GetItem(t.context, map, Text("items"))->AsInt(), 1);
  EXPECT_EQ(GetAttribute(t.context, map, "x")->AsInt(), 2);
  EXPECT_TRUE(GetAttribute(t.context, map, "update")->is_undefined());
  EXPECT_TRUE(GetAttribute(t.context, map, "nope")->is_undefined());
  EXPECT_EQ(GetAttribute(t.context, Text("a"), "zfill").status().code(),
            absl::StatusCode::kUnimplemented);
  EXPECT_FALSE(GetAttribute(t.context, Value(), "x").ok());
}

TEST(Access, ItemsCountFromEitherEnd) {
  TestContext t;
  const Value list = t.List({Int(10), Int(20), Int(30)});
  EXPECT_EQ(GetItem(t.context, list, Int(-1))->AsInt(), 30);
  EXPECT_TRUE(GetItem(t.context, list, Int(3))->is_undefined());
  EXPECT_TRUE(GetItem(t.context, list, Int(-4))->is_undefined());
  EXPECT_TRUE(GetItem(t.context, list, Int(std::numeric_limits<int64_t>::min()))->is_undefined());
  EXPECT_EQ(GetItem(t.context, Text("aé日"), Int(1))->AsString(), "é");
}

// Every slice of a list and a text of 4, against Python's rule written out.
TEST(Access, SlicesAreAllPythons) {
  TestContext t;
  const Value list = t.List({Int(0), Int(1), Int(2), Int(3)});
  auto bound = [](int value, int length, int low, int high) {
    return std::min(std::max(value < 0 ? value + length : value, low), high);
  };
  for (int start = -7; start <= 7; ++start) {
    for (int stop = -7; stop <= 7; ++stop) {
      for (int step : {-5, -2, -1, 1, 2, 5}) {
        const int low = step > 0 ? 0 : -1;
        const int high = step > 0 ? 4 : 3;
        std::string text;
        std::vector<Value> items;
        for (int i = bound(start, 4, low, high);
             step > 0 ? i < bound(stop, 4, low, high) : i > bound(stop, 4, low, high); i += step) {
          text += "wxyz"[i];
          items.push_back(Int(i));
        }
        EXPECT_EQ(t.Repr(GetSlice(t.context, list, Int(start), Int(stop), Int(step))),
                  t.Repr(t.List(items)));
        EXPECT_EQ(GetSlice(t.context, Text("wxyz"), Int(start), Int(stop), Int(step))->AsString(),
                  text);
      }
    }
  }
}

TEST(Access, LookupNeedsAKey) {
  TestContext t;
  const Value map = t.Map({{Int(1), Text("one")}});
  EXPECT_EQ((*Lookup(t.context, map.AsDict(), Float(1)))->AsString(), "one");
  EXPECT_EQ((*Lookup(t.context, map.AsDict(), Value::MakeBool(true)))->AsString(), "one");
  EXPECT_FALSE(Lookup(t.context, map.AsDict(), t.List({})).ok());
  EXPECT_EQ(*Lookup(t.context, map.AsDict(), t.Tuple({})), nullptr);
}

TEST(Access, InsertReplacesEqualKeys) {
  TestContext t;
  std::vector<std::pair<Value, Value>> entries;
  ASSERT_TRUE(Insert(t.context, entries, Int(1), Text("a")).ok());
  ASSERT_TRUE(Insert(t.context, entries, Value::MakeBool(true), Text("b")).ok());
  EXPECT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].second.AsString(), "b");
  EXPECT_FALSE(Insert(t.context, entries, t.Map({}), None()).ok());
}

TEST(Access, IteratorsAreWalkedOnce) {
  TestContext t;
  const Value iterator = *t.context.NewSequence(SequenceKind::kIterator, {Int(1), Int(2)});
  EXPECT_EQ(Items(t.context, iterator)->size(), 2u);
  EXPECT_EQ(Items(t.context, iterator)->size(), 0u);
  EXPECT_FALSE(Length(t.context, iterator).ok());
}

TEST(Access, LengthCountsCodePoints) {
  TestContext t;
  EXPECT_EQ(*Length(t.context, Text("aé日")), 3u);
  EXPECT_EQ(*Length(t.context, Value()), 0u);
  EXPECT_FALSE(Length(t.context, Int(3)).ok());
}

TEST(FindKey, FindsOnlyStrings) {
  TestContext t;
  const Value map = t.Map({{Int(1), Int(10)}, {Text("1"), Int(20)}});
  EXPECT_EQ((*FindKey(t.context, map.AsDict(), "1"))->AsInt(), 20);
  EXPECT_EQ(*FindKey(t.context, map.AsDict(), "2"), nullptr);
}

}  // namespace
}  // namespace weft::jinja
