#include "runtime/text/jinja_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "runtime/text/jinja_test_util.h"

namespace weft::jinja {
namespace {

using Json = nlohmann::ordered_json;

std::string Dump(const Value& value, const JsonStyle& style = {}) {
  TestContext t;
  std::string out;
  const absl::Status status = AppendJson(t.context, value, style, out);
  return status.ok() ? out : "error: " + std::string(status.message());
}

TEST(Json, ComesInInItsOrder) {
  TestContext t;
  const Json json = Json::parse(R"({"z": [1, 2.5, null, true, "é"], "a": {"k": -3}})");
  EXPECT_EQ(t.Repr(FromJson(t.context, json)), "{'z': [1, 2.5, None, True, 'é'], 'a': {'k': -3}}");
}

TEST(Json, RefusesDepthAndLargeNumbers) {
  TestContext t;
  Json deep = Json::array();
  for (int i = 0; i < 100; ++i) deep = Json::array({deep});
  EXPECT_EQ(FromJson(t.context, deep).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(FromJson(t.context, Json(18446744073709551615u)).ok());
}

TEST(Json, GoesOutAsJsonDumpsDoes) {
  TestContext t;
  const Value value = t.Map({{Text("b"), t.List({Int(1), Float(1e16), None()})},
                             {Int(2), t.Tuple({Value::MakeBool(false)})}});
  EXPECT_EQ(Dump(value), R"({"b": [1, 1e+16, null], "2": [false]})");
  EXPECT_EQ(Dump(Text("\"\\/\n\r\t\b\f\x01\x7f<é👍")),
            "\"\\\"\\\\/\\n\\r\\t\\b\\f\\u0001\x7f<é👍\"");
  EXPECT_EQ(Dump(Float(-INFINITY)), "-Infinity");
}

TEST(Json, HasStyles) {
  TestContext t;
  const Value value = t.Map({{Text("b"), t.List({Int(1), Int(2)})}, {Text("a"), t.List({})}});
  JsonStyle indented;
  indented.indent = "  ";
  indented.item_separator = ",";
  EXPECT_EQ(Dump(value, indented), "{\n  \"b\": [\n    1,\n    2\n  ],\n  \"a\": []\n}");
  JsonStyle sorted;
  sorted.sort_keys = true;
  EXPECT_EQ(Dump(value, sorted), R"({"a": [], "b": [1, 2]})");
  JsonStyle ascii;
  ascii.ensure_ascii = true;
  EXPECT_EQ(Dump(Text("é👍\x7f"), ascii), "\"\\u00e9\\ud83d\\udc4d\\u007f\"");
}

TEST(Json, RefusesWhatHasNoJson) {
  TestContext t;
  EXPECT_EQ(Dump(Value::MakeUndefined("'x' is undefined")), "error: 'x' is undefined");
  EXPECT_EQ(Dump(t.Map({{t.Tuple({}), Int(1)}})),
            "error: a value of type 'tuple' cannot be a key in JSON");
}

}  // namespace
}  // namespace weft::jinja
