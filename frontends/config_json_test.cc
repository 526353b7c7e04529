#include "frontends/config_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace weft {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(ConfigJson, AFileNeedNotBeThere) {
  std::vector<ConfigFile> read;
  const auto none = ReadJsonObjectIfAny("/nowhere/c.json", &read);
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_FALSE(none->has_value());
  EXPECT_TRUE(read.empty());
  EXPECT_THAT(std::string(ReadJsonObjectIfAny("/proc", &read).status().message()),
              HasSubstr("/proc: is a folder"));
}

class Fields : public testing::Test {
 protected:
  // The first mistake of `take`.
  template <typename Take>
  std::string ErrorOf(Take take) {
    absl::Status status;
    take(ConfigFields(object_, "c.json", &status));
    return status.ok() ? "no error" : std::string(status.message());
  }

  json object_ = json::parse(R"({
    "int": 7, "negative": -3, "huge": 18446744073709551615, "float": 0.5, "flag": true, "none": null,
    "text": "hello", "list": ["a", "b"], "mixed": ["a", 1], "ids": [3, 1], "object": {"x": 1}
  })");
};

TEST_F(Fields, GiveValuesAndFallbacks) {
  absl::Status status;
  const ConfigFields fields(object_, "c.json", &status);
  EXPECT_EQ(fields.Int("int", 1, 0, 10), 7);
  EXPECT_EQ(fields.Int("negative", 1, -5, 10), -3);
  EXPECT_EQ(fields.Int("none", 1, 0, 10), 1);
  EXPECT_EQ(fields.Int("absent", 1, 0, 10), 1);
  EXPECT_EQ(fields.Float("float", 1, 0, 10), 0.5);
  EXPECT_EQ(fields.Float("int", 1, 0, 10), 7);
  EXPECT_TRUE(fields.Bool("flag", false));
  EXPECT_EQ(fields.String("text", ""), "hello");
  EXPECT_THAT(fields.Strings("list"), ElementsAre("a", "b"));
  EXPECT_THAT(fields.Strings("absent"), ElementsAre());
  EXPECT_THAT(fields.Ids("ids"), ElementsAre(3, 1));
  EXPECT_THAT(fields.Ids("int"), ElementsAre(7));
  EXPECT_EQ(fields.Object("object")->Int("x", 0, 0, 10), 1);
  EXPECT_FALSE(fields.Object("none").has_value());
  EXPECT_TRUE(fields.Has("none"));
  EXPECT_FALSE(fields.IsSet("none"));
  EXPECT_FALSE(fields.Has("absent"));
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(Fields, NameWhatIsWrong) {
  using F = ConfigFields;
  EXPECT_EQ(ErrorOf([](const F& f) { f.Int("text", 1, 0, 10); }),
            "c.json: text is a string, expected a whole number");
  EXPECT_EQ(ErrorOf([](const F& f) { f.Int("float", 1, 0, 10); }),
            "c.json: float is a number, expected a whole number");
  EXPECT_EQ(ErrorOf([](const F& f) { f.Int("int", 1, 0, 6); }),
            "c.json: int is 7, expected a number from 0 to 6");
  EXPECT_EQ(ErrorOf([](const F& f) { f.Int("huge", 1, 0, 6); }),
            "c.json: huge is above 2^63, expected a number from 0 to 6");
  EXPECT_EQ(ErrorOf([](const F& f) { f.Float("text", 1, 0, 1); }),
            "c.json: text is a string, expected a number");
  EXPECT_EQ(ErrorOf([](const F& f) { f.Float("int", 1, 0, 1); }),
            "c.json: int is 7, expected a number from 0 to 1");
  EXPECT_EQ(ErrorOf([](const F& f) { f.Bool("int", true); }),
            "c.json: int is a number, expected true or false");
  EXPECT_EQ(ErrorOf([](const F& f) { f.String("int", ""); }),
            "c.json: int is a number, expected a string");
  EXPECT_EQ(ErrorOf([](const F& f) { f.Strings("mixed"); }), "c.json: mixed is no list of strings");
  EXPECT_EQ(ErrorOf([](const F& f) { f.Strings("text"); }), "c.json: text is no list of strings");
  EXPECT_THAT(ErrorOf([](const F& f) { f.Ids("negative"); }),
              HasSubstr("negative is neither a token id"));
  EXPECT_THAT(ErrorOf([](const F& f) { f.Ids("huge"); }), HasSubstr("huge is neither a token id"));
  EXPECT_EQ(ErrorOf([](const F& f) { f.Object("int"); }),
            "c.json: int is a number, expected an object");
  EXPECT_EQ(ErrorOf([](const F& f) { f.Object("object")->Bool("x", true); }),
            "c.json: object: x is a number, expected true or false");
}

TEST_F(Fields, KeepTheFirstMistake) {
  EXPECT_EQ(ErrorOf([](const ConfigFields& f) {
              f.Fail("first", "is wrong");
              f.Fail("second", "is wrong");
            }),
            "c.json: first is wrong");
}

}  // namespace
}  // namespace weft
