#include "tools/plan_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <string>

namespace weft::tools {
namespace {

namespace fs = std::filesystem;

class PlanKeyTest : public testing::Test {
 protected:
  PlanKeyTest() {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    fs::copy("tests/oracle/tiny/gpt2", model_);
  }
  ~PlanKeyTest() override { fs::remove_all(folder_); }

  std::string Id(const std::string& model, const CompileSettings& settings = {},
                 int64_t context = 0) {
    const auto key = MakePlanKey(model, settings, context, &digests_);
    EXPECT_TRUE(key.ok()) << key.status();
    EXPECT_EQ(key->id.size(), 16);
    return key->id;
  }

  const std::string folder_ = testing::TempDir() + "weft-plan-key";
  const std::string model_ = folder_ + "/gpt2";
  DigestIndex digests_{""};
};

TEST_F(PlanKeyTest, IsTheSameForTheSameModelElsewhere) {
  fs::create_directories(folder_ + "/other");
  fs::copy(model_, folder_ + "/other/gpt2");
  EXPECT_EQ(Id(model_), Id(model_));
  EXPECT_EQ(Id(model_), Id(folder_ + "/other/gpt2"));
  EXPECT_EQ(Id(model_), Id(model_ + "/"));
}

TEST_F(PlanKeyTest, EveryOptionCounts) {
  const std::vector<std::function<void(CompileSettings&)>> changes = {
      [](CompileSettings&) {},
      [](CompileSettings& s) { s.target = "x86-64-v3"; },
      [](CompileSettings& s) { s.pipeline.disabled = {"fuse-qkv"}; },
      [](CompileSettings& s) { s.pipeline.pass.q8_threshold = 3; },
      [](CompileSettings& s) { s.pipeline.pass.weights = passes::WeightsMode::kF32; },
      [](CompileSettings& s) { s.pipeline.pass.kv = passes::KvMode::kF32; },
      [](CompileSettings& s) { s.pipeline.pass.max_tokens = 3; },
      [](CompileSettings& s) { s.pipeline.pass.max_logit_rows = 3; },
      [](CompileSettings& s) { s.pipeline.pass.formats = {{"a", DataType::kF32}}; },
      [](CompileSettings& s) { s.pipeline.pass.formats = {{"a", DataType::kQ8_0}}; },
      [](CompileSettings& s) {
        s.pipeline.pass.formats = {{"b", DataType::kF32}, {"a", DataType::kF32}};
      },
      [](CompileSettings& s) {
        s.pipeline.pass.formats = {{"a", DataType::kF32}, {"b", DataType::kF32}};
      },
  };
  std::set<std::string> ids = {Id(model_, {}, 100)};
  for (const auto& change : changes) {
    CompileSettings settings;
    change(settings);
    ids.insert(Id(model_, settings));
  }
  EXPECT_EQ(ids.size(), changes.size() + 1);
}

// What --target host means depends on them.
TEST_F(PlanKeyTest, HiddenCpuFeaturesCount) {
  const std::string all = Id(model_);
  setenv("WEFT_DISABLE_CPU", "fma", /*overwrite=*/1);
  EXPECT_NE(Id(model_), all);
  setenv("WEFT_DISABLE_CPU", "none", /*overwrite=*/1);
  EXPECT_FALSE(MakePlanKey(model_, {}, 0, &digests_).ok());
  unsetenv("WEFT_DISABLE_CPU");
  EXPECT_EQ(Id(model_), all);
}

TEST_F(PlanKeyTest, EveryFileOfTheModelCounts) {
  std::set<std::string> ids = {Id(model_)};
  std::ofstream(model_ + "/config.json", std::ios::app) << " ";
  ids.insert(Id(model_));
  std::ofstream(model_ + "/tokenizer.json", std::ios::app) << " ";
  ids.insert(Id(model_));
  std::ofstream(model_ + "/chat_template.jinja") << "x";
  ids.insert(Id(model_));
  std::fstream(model_ + "/model.safetensors", std::ios::in | std::ios::out | std::ios::binary)
      .seekp(-1, std::ios::end)
      .put('x');
  ids.insert(Id(model_));
  fs::rename(model_, folder_ + "/renamed");  // the plan holds the model's name
  ids.insert(Id(folder_ + "/renamed"));
  EXPECT_EQ(ids.size(), 6);
}

TEST_F(PlanKeyTest, TellsBuildsOfTheCompilerApart) {
  const auto key = MakePlanKey(model_, {}, 0, &digests_);
  ASSERT_TRUE(key.ok()) << key.status();
  // Of this program, whose build id the linker made; not that of no program at all.
  const std::string build = key->content["compiler"]["build"];
  EXPECT_EQ(build.size(), 16);
  EXPECT_NE(build, "2d06800538d394c2");  // XXH3 of nothing
}

TEST_F(PlanKeyTest, NoModelIsAnError) {
  EXPECT_FALSE(MakePlanKey(folder_ + "/nothing", {}, 0, &digests_).ok());
  EXPECT_FALSE(MakePlanKey(folder_, {}, 0, &digests_).ok());
}

}  // namespace
}  // namespace weft::tools
