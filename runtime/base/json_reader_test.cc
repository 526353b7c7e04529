#include "runtime/base/json_reader.h"

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft {
namespace {

using nlohmann::json;
using testing::HasSubstr;

std::string ErrorOf(absl::string_view text) {
  const auto value = ParseJson(text, "c.json");
  return value.ok() ? "none" : std::string(value.status().message());
}

std::string Nested(size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); }

TEST(JsonReader, BuildsTheDocument) {
  const std::string text =
      R"({"a":[1,-2,0.5,"x\u00e9\ud83d\ude00",null,true,false,{"k":[]}],"b":{"":18446744073709551615},)"
      R"("c":-9223372036854775808,"d":1e308,"e":[[],[[]],{}]})";
  const auto value = ParseJson(text, "c.json");
  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_EQ(*value, json::parse(text));
  for (const char* scalar : {"1", "\"\"", "null", " [] ", "\xef\xbb\xbf{}"})
    EXPECT_EQ(ErrorOf(scalar), "none") << scalar;
}

TEST(JsonReader, WhatIsNoJsonIsAnErrorAtItsByte) {
  EXPECT_EQ(ErrorOf(""), "c.json: is empty");
  EXPECT_EQ(ErrorOf("{\"a\": }"), "c.json: a is no valid JSON (syntax error at byte 6)");
  EXPECT_EQ(ErrorOf("{\"a\": [1, {\"b\": tru}]}"),
            "c.json: a[1].b is no valid JSON (syntax error at byte 19)");
  EXPECT_EQ(ErrorOf("[1, 2, x]"), "c.json: [2] is no valid JSON (syntax error at byte 7)");
  EXPECT_EQ(ErrorOf("{\"a\": 1} x"), "c.json: is no valid JSON (syntax error at byte 9)");
  for (const char* text :
       {"{", "[1,]", "\xff", "{\"a\":\"\xc3\"}", "nul", "GGUF", "{'a': 1}", "[NaN]", "[Infinity]",
        "[0x10]", "[01]", "[+1]", "// x", "[1] [2]", "[\"\n\"]", "[\"\\ud800\"]", "{\"a\": 1,}"})
    EXPECT_THAT(ErrorOf(text), HasSubstr("is no valid JSON (syntax error at byte ")) << text;
}

TEST(JsonReader, NothingFollowsANul) {
  EXPECT_EQ(ErrorOf(absl::string_view("{}\0", 3)),
            "c.json: is no valid JSON (syntax error at byte 2)");
  EXPECT_NE(ErrorOf(absl::string_view("{\"a\":1}\0{\"a\":2}", 15)), "none");
  EXPECT_NE(ErrorOf(absl::string_view("[\"\0\"]", 5)), "none");
  EXPECT_EQ(ErrorOf("[\"\\u0000\"]"), "none") << "as an escape it is text";
}

TEST(JsonReader, AKeyTwiceIsAnError) {
  EXPECT_EQ(ErrorOf(R"({"a": {"b": 1, "c": 2, "b": 3}})"),
            "c.json: a.b occurs twice (near byte 26)");
  EXPECT_EQ(ErrorOf(R"([{"b": 1}, {"b": 3, "\u0062": 1}])"),
            "c.json: [1].b occurs twice (near byte 28)");
  EXPECT_EQ(ErrorOf(R"([{"b": 1}, {"b": 3}])"), "none");
}

TEST(JsonReader, NestingIsBounded) {
  EXPECT_EQ(ErrorOf(Nested(kMaxJsonNesting)), "none");
  EXPECT_THAT(ErrorOf(Nested(kMaxJsonNesting + 1)),
              HasSubstr("nests deeper than 64 levels (near byte 65)"));
  EXPECT_THAT(ErrorOf("{\"a\": " + Nested(kMaxJsonNesting) + "}"), HasSubstr("c.json: a[0][0]"));
  for (const char* opening : {"[", "{\"a\":", "[{\"a\":"}) {
    std::string deep;
    for (int i = 0; i < 100'000; ++i) deep += opening;
    EXPECT_THAT(ErrorOf(deep), HasSubstr("nests deeper than 64 levels")) << opening;
    EXPECT_LT(ErrorOf(deep).size(), 600) << "messages are bounded as well";
  }
  EXPECT_EQ(ErrorOf("[\"\\\"" + std::string(100, '[') + "\"]"), "none")
      << "brackets in a string are text";
}

TEST(JsonReader, NumbersStayInRange) {
  EXPECT_THAT(ErrorOf("{\"a\": 1e999}"), HasSubstr("c.json: a holds a number out of range"));
  EXPECT_THAT(ErrorOf("{\"a\": -1e999}"), HasSubstr("out of range"));
  const auto wide = ParseJson("[18446744073709551616, -9223372036854775809]", "c.json");
  ASSERT_TRUE(wide.ok());
  EXPECT_TRUE((*wide)[0].is_number_float() && (*wide)[1].is_number_float())
      << "beyond 64 bits they are no integers";
}

TEST(JsonReader, AnObjectWhereOneMustBe) {
  EXPECT_TRUE(ParseJsonObject("{}", "c.json").ok());
  EXPECT_EQ(ParseJsonObject("[1]", "c.json").status().message(),
            "c.json: holds a JSON array, expected an object");
}

TEST(JsonReader, NamesInMessagesArePrintable) {
  EXPECT_THAT(ErrorOf("{\"\\u0000\\u001b[31m\": x}"), HasSubstr("\\x00\\x1b[31m"));
}

}  // namespace
}  // namespace weft
