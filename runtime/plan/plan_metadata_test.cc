#include "runtime/plan/plan_metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace weft {
namespace {

using nlohmann::json;
using testing::HasSubstr;

PlanMetadata Sample() {
  PlanMetadata metadata;
  metadata.weft_version = "0.1.0";
  metadata.model = "SmolLM2 \"135M\"";
  metadata.source = {{"model.gguf", 1234, "ab12"}, {"config.json", 5, "cd"}};
  metadata.targets = {{"x86-64-v3", CpuFeatures::X86_64_V3()},
                      {"later", CpuFeatures(uint64_t{1} << 63)}};
  metadata.stages = {"import", "plan-memory"};
  metadata.kv_format = "f16";
  metadata.options = {{"weights", "auto"}, {"disable-pass", "a"}, {"disable-pass", "b"}};
  metadata.eos_ids = {2, 107};
  metadata.bos_id = 1;
  metadata.generation = {{"temperature", 0.1}, {"top_k", 64}};
  metadata.decisions = {{"model.layers.0.q", "q8_0", "max(in, out) = 1024 >= 1024"}};
  return metadata;
}

TEST(PlanMetadata, RoundTrip) {
  for (const PlanMetadata& metadata : {Sample(), PlanMetadata()}) {
    const auto read = MetadataFromJson(MetadataToJson(metadata), "p.weft");
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(*read, metadata);
  }
}

TEST(PlanMetadata, EveryFieldIsNeededAndTyped) {
  const json document = json::parse(MetadataToJson(Sample()));
  for (auto entry = document.begin(); entry != document.end(); ++entry) {
    json wrong = document;
    wrong[entry.key()] = {{"a", 1.5}};
    EXPECT_FALSE(MetadataFromJson(wrong.dump(), "p.weft").ok()) << entry.key();
    json missing = document;
    missing.erase(entry.key());
    EXPECT_FALSE(MetadataFromJson(missing.dump(), "p.weft").ok()) << entry.key();
  }
  json more = document;
  more["colour"] = 1;
  EXPECT_THAT(std::string(MetadataFromJson(more.dump(), "p.weft").status().message()),
              HasSubstr("p.weft: metadata: field 'colour' is unknown"));
}

TEST(PlanMetadata, ForPeople) {
  EXPECT_EQ(TargetNames(Sample()), "x86-64-v3, later");
  EXPECT_EQ(SourceText(Sample()),
            "model.gguf (1234 bytes, sha256 ab12), config.json (5 bytes, sha256 cd)");
}

TEST(PlanMetadata, Bounds) {
  json document = json::parse(MetadataToJson(Sample()));
  const auto error = [&] {
    return std::string(MetadataFromJson(document.dump(), "p.weft").status().message());
  };
  document["stages"] = {"import", "import"};
  EXPECT_THAT(error(), HasSubstr("p.weft: metadata: stages has 2 names"));
  for (size_t i = 0; i < 65; ++i) document["stages"][i] = std::to_string(i);
  EXPECT_THAT(error(), HasSubstr("stages has 65 names, which are more than 64"));
  document = json::parse(MetadataToJson(Sample()));
  document["targets"][1]["name"] = "x86-64-v3";
  EXPECT_THAT(error(), HasSubstr("targets has 2 names"));
  for (size_t i = 0; i < 9; ++i)
    document["targets"][i] = {{"name", std::to_string(i)}, {"cpu_features", 0}};
  EXPECT_THAT(error(), HasSubstr("targets has 9 names, which are more than 8"));
  for (const int64_t bos : {int64_t{-2}, int64_t{1} << 31}) {
    document = json::parse(MetadataToJson(Sample()));
    document["bos_id"] = bos;
    EXPECT_THAT(std::string(MetadataFromJson(document.dump(), "p.weft").status().message()),
                HasSubstr("bos_id is"));
  }
}

}  // namespace
}  // namespace weft
