#include "tools/profile_compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

namespace weft::tools {
namespace {

using testing::HasSubstr;
using testing::Not;
using Json = nlohmann::ordered_json;

Json Row(const std::string& op, const std::string& dims, const std::string& format, int64_t ns,
         int64_t bytes) {
  return {
      {"op", op}, {"dims", dims}, {"format", format}, {"total_ns", ns}, {"weight_bytes", bytes}};
}

// One phase of `tokens` tokens, 1 µs of it outside the rows.
Json Document(const std::vector<Json>& rows, int64_t tokens = 1,
              const std::string& phase = "decode") {
  int64_t wall = 1000;
  for (const Json& row : rows) wall += row.at("total_ns").get<int64_t>();
  return {{"model", "m"},
          {"target", "x86-64-v3"},
          {"threads", 2},
          {"phases",
           {{{"phase", phase},
             {"tokens", tokens},
             {"wall_ns", wall},
             {"between_steps_ns", 1000},
             {"choosing_ns", 0},
             {"text_ns", 0},
             {"other_ns", 0},
             {"rows", rows}}}}};
}

// A phase's row whose op on either side begins so.
const ComparedRow& Find(const std::vector<ComparedRow>& rows, const std::string& op) {
  for (const ComparedRow& row : rows) {
    if (row.op[0].starts_with(op) || row.op[1].starts_with(op)) return row;
  }
  ADD_FAILURE() << "no row " << op;
  return rows.at(0);
}

TEST(ProfileCompareTest, RatiosInTurnsAreThoseOfTheRounds) {
  // Twice the time in every round, however much the rounds differ; then one stray round.
  ComparedSide a{"a", {}}, b{"b", {}};
  for (const int64_t ns : {4000, 6000, 8000, 10000, 12000, 40000}) {
    a.rounds.push_back(Document({Row("x", "", "", ns, 0)}, 2));
    b.rounds.push_back(Document({Row("x", "", "", ns == 40000 ? 20000 : 2 * ns, 0)}, 2));
  }
  const auto comparison = Compare(a, b, true);
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  const ComparedRow& row = Find(comparison->phases.at(0).rows, "x");
  EXPECT_DOUBLE_EQ(row.us[0], 4.5);  // of the median of 9000 ns, two tokens
  EXPECT_DOUBLE_EQ(row.ratio.median, 2);
  EXPECT_DOUBLE_EQ(row.ratio.low, 0.5);
  EXPECT_DOUBLE_EQ(row.ratio.high, 2);
  EXPECT_DOUBLE_EQ(row.ratio.confidence, 0.96875);
  EXPECT_THAT(ComparisonText(*comparison), HasSubstr("6 rounds in turns"));
  EXPECT_THAT(ComparisonText(*comparison), HasSubstr("a confidence of 96.9 %"));
  EXPECT_THAT(ComparisonText(*comparison), HasSubstr("0.500 - 2.000"));
}

TEST(ProfileCompareTest, RowsMatchWholeThenWithoutFormatThenWithoutEpilogue) {
  const ComparedSide a{"a",
                       {Document({Row("qkv", "[1x8]x[24x8]", "f32", 3000, 6000),
                                  Row("up + gelu", "[1x8]x[32x8]", "f32", 5000, 1000),
                                  Row("same", "[1x8]x[8x8]", "q8_0", 100, 100)})}};
  const ComparedSide b{"b",
                       {Document({Row("q", "[1x8]x[8x8]", "f32", 1000, 2000),
                                  Row("k", "[1x8]x[8x8]", "f32", 1000, 2000),
                                  Row("v", "[1x8]x[8x8]", "f32", 2500, 2000),
                                  Row("up + gelu + quantize", "[1x8]x[32x8]", "q8_0", 2500, 250),
                                  Row("same", "[1x8]x[8x8]", "q8_0", 100, 100)})}};
  const auto comparison = Compare(a, b, true);
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  const ComparedPhase& phase = comparison->phases.at(0);
  ASSERT_EQ(phase.rows.size(), 6U);
  const ComparedRow& up = phase.rows[0];
  EXPECT_EQ(up.op[1], "up + gelu + quantize");
  EXPECT_DOUBLE_EQ(up.ratio.median, 0.5);
  EXPECT_DOUBLE_EQ(up.gb_per_s[0], 0.2);
  EXPECT_DOUBLE_EQ(up.gb_per_s[1], 0.1);
  EXPECT_DOUBLE_EQ(Find(phase.rows, "same").ratio.median, 1);
  const ComparedRow& qkv = Find(phase.rows, "qkv");
  EXPECT_TRUE(qkv.has[0]);
  EXPECT_FALSE(qkv.has[1]);
  EXPECT_EQ(qkv.ratio.median, 0);
  // 3 µs in one row of A against 4.5 in three of B.
  EXPECT_DOUBLE_EQ(Find(phase.totals, "rows of one alone").ratio.median, 1.5);
  EXPECT_DOUBLE_EQ(Find(phase.totals, "rows of both").ratio.median, 2.6 / 5.1);
  EXPECT_DOUBLE_EQ(Find(phase.totals, "wall time").ratio.median, 8.1 / 9.1);
  const std::string text = ComparisonText(*comparison);
  EXPECT_THAT(text, HasSubstr("f32 : q8_0"));
  EXPECT_THAT(text, HasSubstr("up + gelu : up + gelu + quantize"));
  EXPECT_THAT(text, HasSubstr("only A"));
  EXPECT_THAT(text, HasSubstr("only B"));
}

TEST(ProfileCompareTest, TwoCandidatesAreNoMatch) {
  const ComparedSide a{"a", {Document({Row("x", "", "f32", 10, 0)})}};
  const ComparedSide b{"b", {Document({Row("x", "", "q8_0", 10, 0), Row("x", "", "f16", 10, 0)})}};
  const auto comparison = Compare(a, b, true);
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  for (const ComparedRow& row : comparison->phases.at(0).rows) EXPECT_EQ(row.ratio.median, 0);
}

TEST(ProfileCompareTest, FilesOfOneRoundHaveNoIntervalAndSaySo) {
  const ComparedSide a{"a", {Document({Row("x", "", "", 2000, 0)})}};
  const ComparedSide b{"b", {Document({Row("x", "", "", 3000, 0)})}};
  const auto comparison = Compare(a, b, false);
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  const ComparedRow& row = Find(comparison->phases.at(0).rows, "x");
  EXPECT_DOUBLE_EQ(row.ratio.median, 1.5);
  EXPECT_EQ(row.ratio.confidence, 0);
  EXPECT_THAT(ComparisonText(*comparison), HasSubstr("not measured in turns"));
  EXPECT_THAT(ComparisonText(*comparison), HasSubstr("There is no interval"));
  const Json json = ComparisonJson(*comparison);
  EXPECT_EQ(json.at("phases").at(0).at("rows").at(0).at("ratio"), 1.5);
  EXPECT_TRUE(json.at("phases").at(0).at("rows").at(0).at("ratio_low").is_null());
}

TEST(ProfileCompareTest, FilesOfSeveralRoundsHaveTheIntervalOfBoth) {
  ComparedSide a{"a", {}}, b{"b", {}};
  for (const int64_t ns : {1000, 1100, 1200, 1300, 1400, 1500, 1600}) {
    a.rounds.push_back(Document({Row("x", "", "", ns, 0)}));
    b.rounds.push_back(Document({Row("x", "", "", 3000 - ns, 0)}));
  }
  const auto comparison = Compare(a, b, false);
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  const MedianInterval& ratio = Find(comparison->phases.at(0).rows, "x").ratio;
  EXPECT_DOUBLE_EQ(ratio.median, 1700.0 / 1300);
  EXPECT_DOUBLE_EQ(ratio.low, 1400.0 / 1600);  // the least of B over the largest of A
  EXPECT_DOUBLE_EQ(ratio.high, 2000.0 / 1000);
  EXPECT_DOUBLE_EQ(ratio.confidence, 1 - 2 * 2.0 / 128);
  EXPECT_THAT(ComparisonText(*comparison), Not(HasSubstr("There is no interval")));
}

TEST(ProfileCompareTest, CsvHasAsManyCellsInEveryRow) {
  const ComparedSide a{"a", {Document({Row("q\"k", "", "f32", 2000, 0), Row("y", "", "", 5, 0)})}};
  const auto comparison = Compare(a, a, true);
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  const std::string csv = ComparisonCsv(*comparison);
  EXPECT_THAT(csv, HasSubstr("\"decode\",\"q\"\"k\",\"q\"\"k\",\"\",\"\",\"f32\",\"f32\",2,2,1,"));
  EXPECT_EQ(std::count(csv.begin(), csv.end(), ',') % std::count(csv.begin(), csv.end(), '\n'), 0);
}

TEST(ProfileCompareTest, WhatIsNoProfileIsAnErrorThatNamesIt) {
  const ComparedSide good{"good.json", {Document({Row("x", "", "", 1, 0)})}};
  const auto message = [&good](const Json& document) {
    const auto comparison = Compare(good, {"bad.json", {document}}, false);
    return comparison.ok() ? "no error" : std::string(comparison.status().message());
  };
  EXPECT_THAT(message(Json::array()), HasSubstr("bad.json: is no output of weft profile --json"));
  EXPECT_THAT(message({{"phases", {1, 2}}}), HasSubstr("'phase' is missing"));
  for (const auto& [key, value] :
       std::vector<std::pair<const char*, Json>>{{"tokens", 0},
                                                 {"tokens", "1"},
                                                 {"tokens", -3},
                                                 {"wall_ns", nullptr},
                                                 {"rows", {{"x", 1}}},
                                                 {"rows", {{{"op", 1}}}}}) {
    Json document = good.rounds[0];
    document["phases"][0][key] = value;
    EXPECT_THAT(message(document), HasSubstr("bad.json: is no output")) << document;
  }
  EXPECT_THAT(message(Document({}, 1, "prefill")), HasSubstr("have no phase in common"));
  EXPECT_EQ(message(Document({Row(std::string(513, 'x').c_str(), "", "", 1, 0)})),
            "bad.json: 'op' has 513 bytes; the most is 512");
}

TEST(ProfileCompareTest, ReadsFilesOfOneRoundAndOfSeveral) {
  const std::string path = testing::TempDir() + "weft-profile-compare.json";
  const auto rounds = [&path](const std::string& text) {
    std::ofstream(path) << text;
    const auto side = ReadProfile(path);
    return side.ok() ? static_cast<int>(side->rounds.size()) : -1;
  };
  EXPECT_EQ(rounds("{\"phases\": []}"), 1);
  EXPECT_EQ(rounds("{\"rounds\": [{}, {}, {}]}"), 3);
  EXPECT_EQ(rounds("{\"rounds\": ["), -1);
  EXPECT_EQ(rounds(""), -1);
  std::remove(path.c_str());
  EXPECT_FALSE(ReadProfile(path).ok());
  EXPECT_TRUE(LooksLikeProfile("a.json"));
  EXPECT_FALSE(LooksLikeProfile(testing::TempDir()));
}

}  // namespace
}  // namespace weft::tools
