#include "runtime/text/tokenizer_fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace weft {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

TEST(JsonFields, KeepsTheFirstMistake) {
  const json object = json::parse(R"({"flag": 1, "text": true, "list": {}})");
  JsonFields fields(object, "f:");
  EXPECT_TRUE(fields.Bool("absent", true));
  EXPECT_EQ(fields.String("absent", "x"), "x");
  EXPECT_TRUE(fields.status().ok());
  EXPECT_TRUE(fields.Bool("flag", true));
  EXPECT_EQ(fields.String("text", "y"), "y");
  EXPECT_TRUE(fields.RequiredArray("list").empty());
  EXPECT_EQ(fields.status().message(), "f: 'flag' must be true or false, found number");
  EXPECT_EQ(fields.Path("a"), "f: a");
  EXPECT_EQ(JsonFields(object, "f: a").Path("b", 3), "f: a.b[3]");
}

TEST(JsonFields, WholeNumbersAreBounded) {
  const json object = json::parse(
      R"({"ok": 5, "low": -1, "high": 11, "huge": 18446744073709551615, "real": 5.0, "text": "5"})");
  const auto read = [&](const char* key) {
    JsonFields fields(object, "f");
    const int64_t value = fields.RequiredInt(key, 0, 10);
    return fields.status().ok() ? value : -100;
  };
  EXPECT_EQ(read("ok"), 5);
  for (const char* key : {"low", "high", "huge", "real", "text", "absent"}) {
    EXPECT_EQ(read(key), -100) << key;
  }
}

TEST(JsonFields, AnythingButAnObjectIsAMistake) {
  for (const char* text : {"null", "true", "7", "\"x\"", "[1]"}) {
    const json value = json::parse(text);
    JsonFields fields(value, "f");
    EXPECT_EQ(fields.Find("a"), nullptr);
    EXPECT_FALSE(fields.Bool("a", false));
    EXPECT_TRUE(fields.RequiredObject("a").empty());
    EXPECT_THAT(std::string(fields.status().message()), HasSubstr("f: expected an object, found "));
  }
}

}  // namespace
}  // namespace weft
