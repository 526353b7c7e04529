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
  metadata.source = "model.gguf 1234 bytes";
  metadata.target = "x86-64-v3";
  metadata.cpu_features = CpuFeatures::X86_64_V3();
  metadata.kv_format = "f16";
  metadata.options = {{"weights", "auto"}, {"context", "4096"}};
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

TEST(PlanMetadata, Bounds) {
  json document = json::parse(MetadataToJson(Sample()));
  document["cpu_features"] = uint64_t{1} << 63;
  EXPECT_THAT(std::string(MetadataFromJson(document.dump(), "p.weft").status().message()),
              HasSubstr("use a newer weft"));
  for (const int64_t bos : {int64_t{-2}, int64_t{1} << 31}) {
    document = json::parse(MetadataToJson(Sample()));
    document["bos_id"] = bos;
    EXPECT_THAT(std::string(MetadataFromJson(document.dump(), "p.weft").status().message()),
                HasSubstr("bos_id is"));
  }
}

}  // namespace
}  // namespace weft
