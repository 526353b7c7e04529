#include "tools/why.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codegen/program_builder.h"
#include "ir/text.h"
#include "passes/pass_manager.h"
#include "passes/pipelines.h"

namespace weft::tools {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;

constexpr absl::string_view kModel = R"(module "m" {
  tensor "emb" : f32[8,40] {file=0, offset=0}
  tensor "pos" : f32[64,40] {file=0, offset=2048}
  tensor "up" : bf16[50,40] {file=1, offset=64}
  tensor "down" : f32[50,40] {file=1, offset=4096}
  %0 = input {name="tokens"} : i32[T]
  %1 = input {name="positions"} : i32[T]
  %2 = weight {tensor="emb"} : f32[8,40] @ "emb.weight"
  %3 = embed %0, %2 : f32[T,40] @ "emb"
  %4 = weight {tensor="pos"} : f32[64,40] @ "pos.weight"
  %5 = embed %1, %4 : f32[T,40] @ "pos"
  %6 = add %3, %5 : f32[T,40] @ "sum"
  %7 = weight {tensor="up"} : bf16[50,40] @ "h.0.up.weight"
  %8 = matmul %6, %7 : f32[T,50] @ "h.0.up"
  %9 = activate %8 {fn="gelu"} : f32[T,50] @ "h.0.act"
  %10 = weight {tensor="down", transposed=true} : f32[40,50] @ "h.0.down.weight"
  %11 = matmul %9, %10 : f32[T,40] @ "h.0.down"
  %12 = select_rows %11 : f32[L,40] @ "rows"
  %13 = matmul %12, %2 : f32[L,8] @ "head"
  %14 = argmax %13 : i32[L] @ "argmax"
  return %13, %14
})";

// Compiled with `up` in q8_0, for a machine with AVX2 alone.
WhyFacts Facts() {
  WhyFacts facts;
  facts.module = *ir::Parse(kModel);
  facts.files = {"a.safetensors", "b.safetensors"};
  facts.targets = {*codegen::ParseTarget("x86-64-v3", CpuFeatures())};
  facts.cpu = facts.targets[0].required;
  facts.threads = 2;
  facts.remarks.emplace();
  passes::PipelineOptions options;
  options.pass.context = 64;
  options.pass.max_tokens = 16;
  options.pass.formats = {{"up", DataType::kQ8_0}};
  options.disabled = {"fuse-qkv"};
  options.pass.remark = [&](passes::Remark remark) { facts.remarks->push_back(std::move(remark)); };
  const auto stats = passes::RunPipeline(passes::DefaultPipeline(), options, &facts.module);
  EXPECT_TRUE(stats.ok()) << stats.status();
  auto built = codegen::BuildProgram(facts.module, facts.targets[0], {16, 1, 64});
  EXPECT_TRUE(built.ok()) << built.status();
  facts.program = std::move(built->program);
  return facts;
}

TEST(WhyTest, TellsSourceFormatAndLayout) {
  const Json json = *WhyJson(Facts(), "h.*.up");
  ASSERT_EQ(json["weights"].size(), 1U);
  const Json& weight = json["weights"][0];
  EXPECT_EQ(weight["weight"], "h.0.up.weight");
  EXPECT_EQ(weight["source"]["file"], "b.safetensors");
  EXPECT_EQ(weight["source"]["type"], "bf16");
  EXPECT_EQ(weight["source"]["bytes"], 50 * 40 * 2);
  EXPECT_EQ(weight["format"]["format"], "q8_0");
  EXPECT_EQ(weight["format"]["why"], "--weight-format up");
  const Json& pack = weight["packed"][0];
  EXPECT_EQ(pack["panels"], 4);  // of 16 rows: 50 and 14 more
  EXPECT_EQ(pack["padding_rows"], 14);
  EXPECT_EQ(pack["padding_columns"], 24);  // two blocks of 32
  EXPECT_EQ(pack["bytes"], 4 * 2 * 544);
  const Json expected = Json::parse(
      R"([{"pass": "fuse-qkv", "done": false, "text": "left out by --disable-pass"},
          {"pass": "fuse-epilogue", "done": true, "text": "takes in gelu"},
          {"pass": "fuse-epilogue", "done": false, "text":
           "takes in nothing more: matmul, which uses its result, is no step of an epilogue"}])");
  EXPECT_EQ(weight["passes"], expected);
}

TEST(WhyTest, TellsKernelAndWork) {
  const Json json = *WhyJson(Facts(), "up");
  const Json& step = json["weights"][0]["steps"][0];
  EXPECT_EQ(step["kernel"], "matmul_q8_0_50x40_gelu");
  EXPECT_EQ(step["streamed_bytes"], 4 * 2 * 544);
  EXPECT_EQ(step["macs_per_token"], 50 * 40);
  EXPECT_EQ(step["partition_units"], 4);
  EXPECT_EQ(step["units_per_thread"], 2.0);
  const Json& code = step["code"][0];
  EXPECT_EQ(code["target"], "x86-64-v3");
  EXPECT_EQ(code["emitter"], "matmul-panels16");
  std::vector<std::string> loops;
  for (const Json& loop : code["loops"]) loops.push_back(loop["loop"]);
  EXPECT_THAT(loops, testing::ElementsAre("int8", "nibble", "widened"));
}

TEST(WhyTest, AWeightThatSeveralStepsUseHasThemAll) {
  const Json json = *WhyJson(Facts(), "emb");
  const Json& steps = json["weights"][0]["steps"];
  ASSERT_EQ(steps.size(), 2U);
  EXPECT_EQ(steps[0]["kind"], "embed");
  EXPECT_EQ(steps[1]["step"], "head");
}

TEST(WhyTest, TellsWhyTargetsAreRefused) {
  const Json targets = (*WhyJson(Facts(), "up"))["targets"];
  ASSERT_EQ(targets.size(), 4U);
  EXPECT_EQ(targets[0]["chosen"], true);
  EXPECT_EQ(targets[0]["why"], "the best that this CPU executes");
  for (size_t i = 1; i < targets.size(); ++i) EXPECT_EQ(targets[i]["runs_here"], false);
  EXPECT_EQ(targets[1]["why"], "needs CPU features that this machine lacks: avxvnni");
}

TEST(WhyTest, SetsTimesBesideWhatIsExpected) {
  WhyFacts facts = Facts();
  WhyTimes times{.roofs = {.gb_per_s = 10, .gmac_per_s_q8_0 = 100, .gmac_per_s_f32 = 50},
                 .prefill_tokens = 16};
  times.decode.steps.resize(facts.program.steps.size());
  times.prefill.steps.resize(facts.program.steps.size());
  for (size_t i = 0; i < facts.program.steps.size(); ++i) {
    if (facts.program.steps[i].name != "h.0.up") continue;
    times.decode.steps[i].time.Add(1000);
    times.decode.steps[i].weight_bytes = 4352;
    times.prefill.steps[i].time.Add(640);
    times.prefill.steps[i].macs = 16 * 2000;
  }
  facts.times = std::move(times);
  const Json json = *WhyJson(facts, "up");
  const Json& step = json["weights"][0]["steps"][0];
  EXPECT_NEAR(step["one_token"]["expected_us"].get<double>(), 0.4352, 1e-9);
  EXPECT_NEAR(step["one_token"]["gb_per_s"].get<double>(), 4.352, 1e-9);
  EXPECT_NEAR(step["one_token"]["roof_share"].get<double>(), 0.4352, 1e-9);
  EXPECT_NEAR(step["prompt"]["expected_us"].get<double>(), 0.32, 1e-9);
  EXPECT_NEAR(step["prompt"]["gmac_per_s"].get<double>(), 50, 1e-9);
  EXPECT_NEAR(step["prompt"]["peak_share"].get<double>(), 0.5, 1e-9);
  const std::string text = WhyText(json);
  EXPECT_THAT(text, HasSubstr("expected 0.4 us: 4352 B at the memory roof"));
  EXPECT_THAT(text, HasSubstr("measured 1.0 us, mean of 1: 4.4 GB/s, 44 % of the roof"));
}

TEST(WhyTest, TextTellsAllOfIt) {
  const std::string text = WhyText(*WhyJson(Facts(), "down"));
  EXPECT_THAT(text, HasSubstr("from       tensor down of b.safetensors: f32 [50,40], 8000 B at "
                              "byte 4096\n             held as its transpose\n"));
  EXPECT_THAT(text, HasSubstr("format     f32: max(50, 40) < 1024\n"));
  EXPECT_THAT(text, HasSubstr("passes     fuse-qkv, no: left out by --disable-pass\n"));
  EXPECT_THAT(text, HasSubstr("avx-vnni, refused: needs CPU features"));
}

TEST(WhyTest, ANameThatThereIsNotShowsThoseThereAre) {
  const auto json = WhyJson(Facts(), "x");
  EXPECT_THAT(std::string(json.status().message()), HasSubstr("no weight is called 'x'"));
  EXPECT_THAT(std::string(json.status().message()), HasSubstr("emb, pos, up, down"));
}

}  // namespace
}  // namespace weft::tools
