#include "runtime/plan/json_fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/json_reader.h"

namespace weft {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(PlanFields, ReadsEveryType) {
  const auto value = ParseJsonObject(
      R"({"s":"x","b":true,"i":-9223372036854775808,"u":18446744073709551615,"n":0.5,"n2":3,
          "a":[1,-2147483648,2147483647],"o":{"s":"y"},"l":[{"i":1},{"i":2}]})",
      "f");
  ASSERT_TRUE(value.ok()) << value.status();
  PlanFields fields(*value, "f");
  EXPECT_EQ(fields.String("s"), "x");
  EXPECT_TRUE(fields.Bool("b"));
  EXPECT_EQ(fields.Int("i"), INT64_MIN);
  EXPECT_EQ(fields.Uint("u"), UINT64_MAX);
  EXPECT_EQ(fields.Number("n"), 0.5);
  EXPECT_EQ(fields.Number("n2"), 3);
  EXPECT_THAT(fields.Int32s("a"), ElementsAre(1, INT32_MIN, INT32_MAX));
  fields.Object("o", [](PlanFields& object) { EXPECT_EQ(object.String("s"), "y"); });
  std::vector<int64_t> ints;
  fields.Objects("l", [&](PlanFields& object) { ints.push_back(object.Int("i")); });
  EXPECT_THAT(ints, ElementsAre(1, 2));
  EXPECT_TRUE(fields.Finish().ok()) << fields.Finish();
}

TEST(PlanFields, NamesWhatIsWrong) {
  struct Case {
    const char* json;
    void (*read)(PlanFields& fields);
    const char* message;
  };
  const Case cases[] = {
      {"{}", [](PlanFields& f) { f.Int("x"); }, "f: 'x' is missing"},
      {R"({"x":1})", [](PlanFields& f) { f.String("x"); }, "'x' is no string"},
      {R"({"x":1})", [](PlanFields& f) { f.Bool("x"); }, "'x' is neither true nor false"},
      {R"({"x":9223372036854775808})", [](PlanFields& f) { f.Int("x"); }, "no integer of 64 bits"},
      {R"({"x":1.0})", [](PlanFields& f) { f.Int("x"); }, "no integer of 64 bits"},
      {R"({"x":-1})", [](PlanFields& f) { f.Uint("x"); }, "no integer from 0"},
      {R"({"x":18446744073709551616})", [](PlanFields& f) { f.Uint("x"); }, "no integer from 0"},
      {R"({"x":null})", [](PlanFields& f) { f.Number("x"); }, "'x' is no number"},
      {R"({"x":[2147483648]})", [](PlanFields& f) { f.Int32s("x"); }, "integers of 32 bits"},
      {R"({"x":[-2147483649]})", [](PlanFields& f) { f.Int32s("x"); }, "integers of 32 bits"},
      {R"({"x":[1.5]})", [](PlanFields& f) { f.Int32s("x"); }, "integers of 32 bits"},
      {R"({"x":{}})", [](PlanFields& f) { f.Int32s("x"); }, "integers of 32 bits"},
      {R"({"x":{}})", [](PlanFields& f) { f.Strings("x"); }, "array of strings"},
      {R"({"x":["a",1]})", [](PlanFields& f) { f.Strings("x"); }, "array of strings"},
      {R"({"x":[]})", [](PlanFields& f) { f.Object("x", [](PlanFields&) {}); },
       "f.x: is no object"},
      {R"({"x":{}})", [](PlanFields& f) { f.Objects("x", [](PlanFields&) {}); }, "'x' is no array"},
      {R"({"x":[{},3]})", [](PlanFields& f) { f.Objects("x", [](PlanFields&) {}); },
       "f.x[1]: is no object"},
      {R"({"x":[{"y":1}]})", [](PlanFields& f) { f.Objects("x", [](PlanFields&) {}); },
       "f.x[0]: field 'y' is unknown"},
      {R"({"x":1,"y":2})", [](PlanFields& f) { f.Int("x"); }, "f: field 'y' is unknown"},
  };
  for (const Case& c : cases) {
    const auto value = ParseJsonObject(c.json, "f");
    ASSERT_TRUE(value.ok()) << c.json;
    PlanFields fields(*value, "f");
    c.read(fields);
    EXPECT_THAT(std::string(fields.Finish().message()), HasSubstr(c.message)) << c.json;
  }
}

TEST(PlanFields, PrintsBytesThatAreNotUtf8) {
  EXPECT_EQ(PrintJson({{"a", "x\xff"}}), "{\"a\":\"x\xef\xbf\xbd\"}");
}

}  // namespace
}  // namespace weft
