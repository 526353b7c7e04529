#include "frontends/hf_rope.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace weft {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using Scaling = RopeSettings::Scaling;

struct Result {
  RopeSettings settings;
  std::string error;
};

Result Read(const json& file, const char* family = "llama", bool sliding = false) {
  absl::Status status;
  DecoderConfig config;
  config.head_dim = 64;
  config.max_positions = 2048;
  Result result;
  result.settings = ReadHfRope(ConfigFields(file, "config.json", &status),
                               *FindFamilyByModelType(family), config, sliding);
  result.error = std::string(status.message());
  return result;
}

TEST(HfRope, ThetaOfEitherGeneration) {
  EXPECT_EQ(Read(json::object()).settings.theta, 10000);
  EXPECT_EQ(Read({{"rope_theta", 5e5}}).settings.theta, 5e5);
  EXPECT_EQ(Read({{"rope_theta", 1000000}}).settings.theta, 1e6);
  EXPECT_EQ(Read({{"rope_parameters", {{"rope_theta", 3e5}}}, {"rope_theta", 1e4}}).settings.theta,
            3e5);
  EXPECT_EQ(Read(json::object()).settings.dim, 64);
  EXPECT_EQ(Read({{"rope_scaling", nullptr}}).settings.scaling, Scaling::kNone);
}

TEST(HfRope, TwoBases) {
  const json version4 = {{"rope_theta", 2e6},
                         {"rope_local_base_freq", 2e4},
                         {"rope_scaling", {{"rope_type", "linear"}, {"factor", 8.0}}}};
  const json version5 = {
      {"rope_parameters",
       {{"full_attention", {{"rope_type", "linear"}, {"factor", 8.0}, {"rope_theta", 2e6}}},
        {"sliding_attention", {{"rope_type", "default"}, {"rope_theta", 2e4}}}}}};
  for (const json& file : {version4, version5}) {
    EXPECT_EQ(Read(file, "gemma3", false).settings.theta, 2e6);
    EXPECT_EQ(Read(file, "gemma3", false).settings.scaling, Scaling::kLinear);
    EXPECT_EQ(Read(file, "gemma3", true).settings.theta, 2e4);
    EXPECT_EQ(Read(file, "gemma3", true).settings.scaling, Scaling::kNone);
  }
  EXPECT_EQ(Read(json::object(), "gemma3", false).settings.theta, 1e6);
  EXPECT_EQ(Read(json::object(), "gemma3", true).settings.theta, 1e4);
  // One base serves all layers of the other families.
  EXPECT_EQ(Read({{"rope_theta", 3e4}}, "gemma2", true).settings.theta, 3e4);
}

TEST(HfRope, Scalings) {
  for (const char* key : {"type", "rope_type"}) {
    const RopeSettings linear = Read({{"rope_scaling", {{key, "linear"}, {"factor", 4}}}}).settings;
    EXPECT_EQ(linear.scaling, Scaling::kLinear);
    EXPECT_EQ(linear.factor, 4);
  }
  json llama3 = {{"rope_type", "llama3"},
                 {"factor", 32.0},
                 {"low_freq_factor", 1.0},
                 {"high_freq_factor", 4.0},
                 {"original_max_position_embeddings", 8192}};
  RopeSettings settings = Read({{"rope_scaling", llama3}}).settings;
  EXPECT_EQ(settings.scaling, Scaling::kLlama3);
  EXPECT_EQ(settings.factor, 32);
  EXPECT_EQ(settings.high_freq_factor, 4);
  EXPECT_EQ(settings.original_context, 8192);
  llama3.erase("original_max_position_embeddings");
  EXPECT_EQ(Read({{"rope_scaling", llama3}}).settings.original_context, 2048);
  llama3["high_freq_factor"] = 1;
  EXPECT_THAT(Read({{"rope_scaling", llama3}}).error,
              HasSubstr("high_freq_factor is not above low_freq_factor"));
  llama3.erase("high_freq_factor");
  EXPECT_THAT(Read({{"rope_scaling", llama3}}).error, HasSubstr("high_freq_factor is missing"));
}

TEST(HfRope, UnsupportedTypesAreNamed) {
  for (const char* type : {"yarn", "longrope", "dynamic", "su"}) {
    for (const char* where : {"rope_scaling", "rope_parameters"}) {
      EXPECT_THAT(Read({{where, {{"rope_type", type}, {"factor", 2}}}}).error,
                  HasSubstr(std::string("rope_type is '") + type + "', which is not supported"));
    }
    EXPECT_THAT(Read({{"rope_scaling", {{"type", type}}}}).error, HasSubstr(type));
  }
  EXPECT_THAT(Read({{"rope_scaling", {{"type", "linear"}}}}).error,
              HasSubstr("factor is missing, which rope type linear needs"));
  EXPECT_THAT(Read({{"rope_scaling", 3}}).error, HasSubstr("rope_scaling is a number"));
  EXPECT_THAT(Read({{"rope_theta", 0}}).error, HasSubstr("rope_theta is 0"));
}

TEST(HfRope, PartOfEachHead) {
  EXPECT_EQ(Read({{"partial_rotary_factor", 0.75}}, "phi3").settings.dim, 48);
  EXPECT_EQ(Read({{"rope_parameters", {{"partial_rotary_factor", 0.5}}}}, "phi3").settings.dim, 32);
  EXPECT_THAT(Read({{"partial_rotary_factor", 0.5}}, "llama").error,
              HasSubstr("partial_rotary_factor is 0.5, which is not supported"));
  EXPECT_THAT(Read({{"partial_rotary_factor", 0.52}}, "phi3").error,
              HasSubstr("of which 33 columns are rotated"));
}

}  // namespace
}  // namespace weft
