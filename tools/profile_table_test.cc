#include "tools/profile_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/layer_names.h"

namespace weft::tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Step MatmulStep(const std::string& name, const std::string& detail) {
  Step step{.name = name, .kind = "matmul", .kernel = "k"};
  step.weight_bytes = 1000;
  step.macs_per_row = 500;
  step.detail = detail;
  return step;
}

// A norm and two matmuls in each of two layers, and a matmul behind them.
Program TwoLayers() {
  Program program;
  for (const char* layer : {"model.layers.0", "model.layers.1"}) {
    program.steps.push_back({.name = std::string(layer) + ".norm", .kind = "rms_norm"});
    program.steps.push_back(
        MatmulStep(std::string(layer) + ".self_attn.{q,k,v}_proj", "q8_0 1536x1152"));
    program.steps.push_back(MatmulStep(std::string(layer) + ".mlp.down_proj", "f32 8x16"));
    program.steps.back().kind = "matmul+residual";
  }
  program.steps.push_back(MatmulStep("lm_head", "q8_0 512x1152"));
  return program;
}

// Two runs of one token in which step i took 100 · (i + 1) ns and then twice that.
PhaseProfile TwoRuns(const Program& program) {
  PhaseProfile phase{.name = "decode", .tokens = 2};
  phase.profile.runs = 2;
  phase.profile.total_ns = 10000;
  for (size_t i = 0; i < program.steps.size(); ++i) {
    StepProfile& step = phase.profile.steps.emplace_back();
    const auto ns = static_cast<int64_t>(100 * (i + 1));
    step.time.Add(ns);
    step.time.Add(2 * ns);
    step.busy_ns = 3 * ns;
    step.weight_bytes = 2 * program.steps[i].weight_bytes;
    step.macs = 2 * program.steps[i].macs_per_row;
  }
  phase.wall_ns = 11000;
  phase.choosing_ns = 300;
  phase.text_ns = 200;
  return phase;
}

// That phase `phases` times, beside roofs.
ProfileReport ReportOf(const Program& program, size_t phases = 1) {
  ProfileReport report{.model = "m", .target = "t", .cpu = "c", .threads = 2};
  report.program = &program;
  report.roofs = {.gb_per_s = 10, .gmac_per_s_q8_0 = 5, .gmac_per_s_f32 = 2};
  report.phases.assign(phases, TwoRuns(program));
  return report;
}

std::vector<std::string> Names(const std::vector<ProfileRow>& rows) {
  std::vector<std::string> names;
  for (const ProfileRow& row : rows) names.push_back(row.op);
  return names;
}

TEST(ProfileTableTest, RowsOfOneOpTakeAllLayersTogetherMostTimeFirst) {
  const Program program = TwoLayers();
  const std::vector<ProfileRow> rows = ProfileRows(program, TwoRuns(program), ProfileBy::kOp);
  EXPECT_THAT(Names(rows), ElementsAre("model.layers.*.mlp.down_proj + residual", "lm_head",
                                       "model.layers.*.self_attn.{q,k,v}_proj", "rms_norm"));
  EXPECT_EQ(rows[0].format, "f32");
  EXPECT_EQ(rows[0].dims, "[1x16]x[8x16]");
  EXPECT_EQ(rows[2].dims, "[1x1152]x[1536x1152]");
  EXPECT_EQ(rows[2].calls, 4);  // two layers, two runs
  EXPECT_EQ(rows[2].sum.time.min_ns(), 200);
  EXPECT_EQ(rows[2].sum.time.max_ns(), 1000);
  EXPECT_EQ(rows[2].sum.time.total_ns(), 3 * (200 + 500));
  EXPECT_EQ(rows[2].sum.weight_bytes, 4000);
  EXPECT_EQ(rows[3].dims, "");
}

TEST(ProfileTableTest, RowsByLayerStandInOrderAndByWeightApart) {
  const Program program = TwoLayers();
  EXPECT_THAT(Names(ProfileRows(program, TwoRuns(program), ProfileBy::kLayer)),
              ElementsAre("layer 0", "layer 1", "outside layers"));
  EXPECT_EQ(ProfileRows(program, TwoRuns(program), ProfileBy::kWeight).size(), 6U)
      << "five matmuls, and the norms";
}

TEST(ProfileTableTest, WhatIsPrintedAddsUpToTheWallTime) {
  const Program program = TwoLayers();
  const ProfileReport report = ReportOf(program);
  for (const ProfileBy by : {ProfileBy::kOp, ProfileBy::kLayer, ProfileBy::kWeight}) {
    const nlohmann::ordered_json phase = ProfileJson(report, by).at("phases").at(0);
    int64_t sum = 0;
    double shares = 0;
    for (const auto& row : phase.at("rows")) {
      sum += row.at("total_ns").get<int64_t>();
      shares += row.at("share").get<double>();
    }
    EXPECT_EQ(sum, 3 * 2800);
    EXPECT_NEAR(shares, 8400.0 / 11000, 1e-9);
    for (const char* rest : {"between_steps_ns", "choosing_ns", "text_ns", "other_ns"})
      sum += phase.at(rest).get<int64_t>();
    EXPECT_EQ(sum, phase.at("wall_ns").get<int64_t>());
  }
}

TEST(ProfileTableTest, RatesAreTotalsOverTotalsAndSharesOfTheRoofs) {
  const Program program = TwoLayers();
  const ProfileReport report = ReportOf(program);
  const nlohmann::ordered_json rows =
      ProfileJson(report, ProfileBy::kOp).at("phases").at(0).at("rows");
  const auto& qkv = rows.at(2);
  EXPECT_DOUBLE_EQ(qkv.at("gb_per_s").get<double>(), 4000.0 / 2100);
  EXPECT_DOUBLE_EQ(qkv.at("roof_share").get<double>(), 400.0 / 2100);
  EXPECT_DOUBLE_EQ(qkv.at("gmac_per_s").get<double>(), 2000.0 / 2100);
  EXPECT_DOUBLE_EQ(qkv.at("peak_share").get<double>(), 400.0 / 2100);
  EXPECT_DOUBLE_EQ(qkv.at("busy").get<double>(), 0.5) << "one of two workers at a time";
  EXPECT_DOUBLE_EQ(rows.at(0).at("peak_share").get<double>(),
                   rows.at(0).at("gmac_per_s").get<double>() / 2);
}

TEST(ProfileTableTest, CsvHasAHeaderAndARowOfAsManyCellsEach) {
  const Program program = TwoLayers();
  const ProfileReport report = ReportOf(program, 2);
  const std::string csv = ProfileCsv(report, ProfileBy::kOp);
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 1 + 2 * 4);
  EXPECT_THAT(csv, HasSubstr("phase,op,dims,format,calls,mean_ns"));
  EXPECT_THAT(csv, HasSubstr("decode,\"lm_head\",\"[1x1152]x[512x1152]\",\"q8_0\",2,"));
}

TEST(LayerNamesTest, TheFirstNumberIsTheLayer) {
  EXPECT_EQ(WithoutLayer("model.layers.13.mlp.down_proj"), "model.layers.*.mlp.down_proj");
  EXPECT_EQ(WithoutLayer("h.0.attn"), "h.*.attn");
  EXPECT_EQ(WithoutLayer("lm_head2"), "lm_head2");
  EXPECT_EQ(LayerOf("model.layers.13.mlp.2"), 13);
  EXPECT_EQ(LayerOf("lm_head"), -1);
  EXPECT_EQ(LayerOf(""), -1);
}

}  // namespace
}  // namespace weft::tools
