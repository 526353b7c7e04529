#include "tools/explore.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weft::tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::vector<std::string> Names(const ExploredOptions& options) {
  const auto variants = Variants({}, options);
  std::vector<std::string> names;
  if (!variants.ok()) return {std::string(variants.status().message())};
  for (const Variant& variant : *variants) names.push_back(variant.name);
  return names;
}

TEST(ExploreTest, VariantsAreAllCombinationsTheDefaultFirst) {
  EXPECT_THAT(Names({.q8_thresholds = {512, 1024, 512}, .disabled = {"fuse-qkv"}}),
              ElementsAre("--q8-threshold 1024", "--q8-threshold 1024 --disable-pass fuse-qkv",
                          "--q8-threshold 512", "--q8-threshold 512 --disable-pass fuse-qkv"));
  EXPECT_THAT(Names({.weights = {"q8_0", "f32"}, .kv = {"f16"}}),
              ElementsAre("--weights q8_0", "--weights f32"))
      << "one value is no choice; without the default the first is the base";
  EXPECT_THAT(Names({.formats = {"lm_head=f32"}}), ElementsAre("", "--weight-format lm_head=f32"));
  ModelArguments base;
  base.context = 77;
  const auto variants = Variants(
      base,
      {.kv = {"f16"}, .targets = {"x86-64-v3", "host"}, .disabled = {"fuse-qkv", "canonicalise"}});
  ASSERT_TRUE(variants.ok());
  ASSERT_EQ(variants->size(), 6U);
  EXPECT_EQ((*variants)[0].arguments.target, "host");
  EXPECT_THAT((*variants)[5].arguments.disabled, ElementsAre("canonicalise"));
  EXPECT_EQ((*variants)[5].arguments.target, "x86-64-v3");
  for (const Variant& variant : *variants) {
    EXPECT_EQ(variant.arguments.kv, "f16");
    EXPECT_EQ(variant.arguments.context, 77);
  }
}

TEST(ExploreTest, TooManyVariantsAndASingleOneAreErrors) {
  EXPECT_THAT(Names({}), ElementsAre(HasSubstr("nothing to compare")));
  EXPECT_THAT(Names({.weights = {"f32"}}), ElementsAre(HasSubstr("nothing to compare")));
  std::vector<int64_t> many;
  for (int64_t i = 0; i < 32; ++i) many.push_back(i);
  EXPECT_EQ(Names({.q8_thresholds = many}).size(), 32U);
  EXPECT_THAT(Names({.q8_thresholds = many, .disabled = {"fuse-qkv"}}),
              ElementsAre(HasSubstr("more than 32 variants")));
}

// Decoding at `speed` in nine rounds that differ by up to 8 ‰, of which the ratio to another
// variant keeps nothing.
ExploredVariant Measured(const std::string& name, double speed, int64_t bytes, double kl) {
  ExploredVariant variant{.name = name, .weight_bytes = bytes};
  for (int round = 0; round < 9; ++round) {
    variant.decode.push_back(speed * (1 + round / 1e3));
    variant.prefill.push_back(10 * speed);
  }
  variant.score = TextScore{.positions = 1, .kl = kl};
  return variant;
}

// The base decodes at 100; noise is what the control's ratios of 0.98 to 1.01 say.
Exploration Explored(std::vector<ExploredVariant> others) {
  Exploration exploration{.model = "m", .cpu = "c", .threads = 2, .kl_margin = 0.01};
  exploration.variants.push_back(Measured("base", 100, 1000, 0.001));
  for (ExploredVariant& other : others) exploration.variants.push_back(std::move(other));
  const std::vector<double>& base = exploration.variants[0].decode;
  exploration.control_decode = base;
  for (const size_t i : {0, 1, 2}) exploration.control_decode[i] = 0.98 * base[i];
  for (const size_t i : {3, 4}) exploration.control_decode[i] = 1.01 * base[i];
  exploration.control_prefill = exploration.variants[0].prefill;
  return exploration;
}

std::string Adopted(const Exploration& exploration) {
  return exploration.variants[Recommend(exploration).adopted].name;
}

TEST(ExploreTest, NoiseIsTheControlsIntervalEitherWay) {
  const Exploration exploration = Explored({});
  const NoiseBand noise = NoiseOf(exploration.variants[0].decode, exploration.control_decode);
  EXPECT_NEAR(noise.low, 0.98, 1e-12);  // the second of nine: three are there
  EXPECT_NEAR(noise.high, 1 / 0.98, 1e-12);
  EXPECT_TRUE(noise.Above({1.05, 1.03, 1.06, 0.96}));
  EXPECT_FALSE(noise.Above({1.05, 1.01, 1.06, 0.96})) << "touches the band";
  EXPECT_FALSE(noise.Above({1.05, 1.03, 1.06, 0.5})) << "too few rounds";
  EXPECT_TRUE(noise.Below({0.9, 0.8, 0.97, 0.96}));
  EXPECT_FALSE(noise.Below({0.9, 0.8, 0.99, 0.96}));
}

TEST(ExploreTest, FasterByMoreThanNoiseIsAdopted) {
  const Exploration exploration = Explored({Measured("fast", 110, 1000, 0.002)});
  EXPECT_EQ(Adopted(exploration), "fast");
  const std::string text = ExplorationText(exploration);
  EXPECT_THAT(text, HasSubstr("Adopt fast.\nIt decodes 1.100 times (1.100 - 1.100) as fast as the "
                              "base, which is more than noise."));
  EXPECT_THAT(text,
              HasSubstr("base (base) is slower: 0.909 times (0.909 - 0.909) as fast as fast"));
}

TEST(ExploreTest, WithinNoiseTheBaseStays) {
  const Exploration exploration = Explored({Measured("a hair faster", 101.5, 1000, 0)});
  EXPECT_EQ(Adopted(exploration), "base");
  EXPECT_THAT(ExplorationText(exploration), HasSubstr("a hair faster cannot be told from it"));
}

TEST(ExploreTest, OfThoseThatCannotBeToldApartTheLighterByMoreThanALittle) {
  EXPECT_EQ(Adopted(Explored({Measured("light", 99, 900, 0.002)})), "light");
  EXPECT_EQ(Adopted(Explored({Measured("hardly lighter", 99, 960, 0.002)})), "base");
  EXPECT_EQ(Adopted(Explored(
                {Measured("fast", 120, 1000, 0.004), Measured("fast and true", 119, 990, 0.003)})),
            "fast and true");
}

TEST(ExploreTest, WhatLosesTooMuchIsOut) {
  const Exploration exploration =
      Explored({Measured("coarse", 200, 500, 0.012), Measured("fast", 110, 1000, 0.0109)});
  EXPECT_EQ(Adopted(exploration), "fast") << "0.0109 is within 0.01 of 0.001";
  EXPECT_THAT(ExplorationText(exploration), HasSubstr("coarse is out: its KL divergence is 0.012"));
}

TEST(ExploreTest, TheBaseItselfMayBeOut) {
  Exploration exploration = Explored({Measured("true", 50, 4000, 0)});
  exploration.variants[0].score->kl = 0.5;
  EXPECT_EQ(Adopted(exploration), "true");
  EXPECT_THAT(ExplorationText(exploration), HasSubstr("which is slower by more than noise"));
}

TEST(ExploreTest, OneRoundTellsNothing) {
  Exploration exploration = Explored({Measured("fast", 200, 1000, 0)});
  for (ExploredVariant& variant : exploration.variants) {
    variant.decode.resize(1);
    variant.prefill.resize(1);
  }
  exploration.control_decode.resize(1);
  exploration.control_prefill.resize(1);
  EXPECT_EQ(Adopted(exploration), "base");
}

TEST(ExploreTest, WhatCompilesToTheSameIsNamedNotMeasured) {
  Exploration exploration = Explored({Measured("fast", 110, 1000, 0), {.name = "as fast"}});
  exploration.variants[2].same_as = 1;
  EXPECT_EQ(Adopted(exploration), "fast");
  EXPECT_THAT(ExplorationText(exploration), HasSubstr("as fast: compiles to the same as fast"));
  EXPECT_THAT(ExplorationText(exploration), HasSubstr("Adopt fast, to which compiles as fast."));
  const auto json = ExplorationJson(exploration);
  EXPECT_EQ(json.at("adopt"), "fast");
  EXPECT_EQ(json.at("variants").at(2).at("same_as"), "fast");
  EXPECT_FALSE(json.at("variants").at(2).contains("mean_kl"));
  EXPECT_NEAR(json.at("variants").at(1).at("decode_to_base").at("low").get<double>(), 1.1, 1e-12);
}

TEST(ExploreTest, WithoutScoresSpeedDecides) {
  Exploration exploration = Explored({Measured("fast", 110, 1000, 9)});
  for (ExploredVariant& variant : exploration.variants) variant.score.reset();
  EXPECT_EQ(Adopted(exploration), "fast");
  EXPECT_THAT(ExplorationText(exploration), Not(HasSubstr("KL divergence")));
}

}  // namespace
}  // namespace weft::tools
