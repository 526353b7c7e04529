#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include "frontends/hf_config.h"
#include "frontends/model.h"
#include "runtime/abi/float16.h"
#include "runtime/text/tokenizer.h"
#include "tools/synth_model.h"
#include "tools/synth_tokenizer.h"
#include "tools/synth_values.h"

namespace weft::tools {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class SynthTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "weft-synth-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string Folder(const std::string& name) const { return (folder_ / name).string(); }
  // Contents by name.
  static std::map<std::string, std::string> Files(const std::string& folder) {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::directory_iterator(folder)) {
      std::ifstream file(entry.path(), std::ios::binary);
      files[entry.path().filename().string()] = {std::istreambuf_iterator<char>(file),
                                                 std::istreambuf_iterator<char>()};
    }
    return files;
  }

  fs::path folder_;
};

std::vector<float> Values(const SynthStream& stream, int64_t first, size_t count) {
  std::vector<float> values(count);
  FillSynth(stream, first, DataType::kF32,
            {reinterpret_cast<uint8_t*>(values.data()), count * sizeof(float)});
  return values;
}

TEST(SynthValues, HaveTheMomentsOfTheNormalDistribution) {
  constexpr size_t kCount = 1 << 18;
  const std::vector<float> values = Values({1, 2, 0.5F, 2.0F}, 0, kCount);
  double sum = 0;
  double squares = 0;
  size_t within_one = 0;
  for (float value : values) {
    const double z = (value - 0.5) / 2;
    sum += z;
    squares += z * z;
    if (std::abs(z) < 1) ++within_one;
    ASSERT_LT(std::abs(z), 3.47);
  }
  // Five standard errors of the mean (1/sqrt(n)) and of the variance (at most sqrt(2/n)).
  EXPECT_NEAR(sum / kCount, 0, 5 / std::sqrt(double{kCount}));
  EXPECT_NEAR(squares / kCount, 1, 5 * std::sqrt(2.0 / kCount));
  // 0.683 of the normal distribution; the sum of four uniform numbers has 0.6707 there.
  EXPECT_NEAR(static_cast<double>(within_one) / kCount, 0.67, 0.01);
}

TEST(SynthValues, PiecesJoinAndStreamsDiffer) {
  const std::vector<float> whole = Values({7, 3}, 0, 100);
  const std::vector<float> tail = Values({7, 3}, 60, 40);
  EXPECT_EQ(std::vector<float>(whole.begin() + 60, whole.end()), tail);
  EXPECT_NE(Values({7, 4}, 0, 100), whole);
  EXPECT_NE(Values({8, 3}, 0, 100), whole);
}

TEST(SynthValues, Bf16IsTheSameRounded) {
  const std::vector<float> wide = Values({7, 3}, 5, 50);
  std::vector<uint16_t> narrow(50);
  FillSynth({7, 3}, 5, DataType::kBF16, {reinterpret_cast<uint8_t*>(narrow.data()), 100});
  for (size_t i = 0; i < wide.size(); ++i) EXPECT_EQ(narrow[i], F32ToBF16(wide[i]));
}

// Against the published models: their number of parameters, tied embeddings counted once.
TEST(SynthShapes, HaveThePublishedParameters) {
  const std::map<std::string, int64_t> published = {{"gpt2", 124'439'808},
                                                    {"smollm2-135m", 134'515'008},
                                                    {"gemma3-270m", 268'098'176},
                                                    {"gemma3-1b", 999'885'952},
                                                    {"llama3-8b", 8'030'261'248}};
  for (const auto& [name, parameters] : published) {
    const SynthShape* shape = FindSynthShape(name);
    ASSERT_NE(shape, nullptr) << name;
    int64_t sum = 0;
    for (const SynthTensor& tensor : SynthTensors(*shape)) {
      int64_t values = 1;
      for (int64_t dim : tensor.dims) values *= dim;
      sum += values;
    }
    EXPECT_EQ(sum, parameters) << name;
  }
  EXPECT_EQ(FindSynthShape("gpt3"), nullptr);
}

TEST(SynthShapes, ConfigsAreUnderstood) {
  for (const SynthShape& shape : SynthShapes()) {
    const auto config =
        ParseHfConfig(nlohmann::json(SynthConfig(shape, shape.type)), std::string(shape.name));
    ASSERT_TRUE(config.ok()) << config.status();
    EXPECT_EQ(config->layers.size(), static_cast<size_t>(shape.layers));
    EXPECT_EQ(config->hidden, shape.hidden);
    EXPECT_EQ(config->layers[0].window, shape.window);
    EXPECT_EQ(config->layers[5].window, 0);
    EXPECT_EQ(config->tied, shape.tied);
  }
}

TEST(SynthTokenizer, FillsTheVocabularyAndTakesAnyText) {
  for (const char* name : {"tiny", "gpt2"}) {
    const SynthShape& shape = *FindSynthShape(name);
    const std::string json = SynthTokenizerJson(shape);
    const nlohmann::json parsed = nlohmann::json::parse(json);
    std::set<int64_t> ids;
    for (const auto& [token, id] : parsed["model"]["vocab"].items()) ids.insert(id.get<int64_t>());
    EXPECT_EQ(ids.size(), static_cast<size_t>(shape.vocab));
    EXPECT_EQ(*ids.begin(), 0);
    EXPECT_EQ(*ids.rbegin(), shape.vocab - 1);

    const auto tokenizer = Tokenizer::FromTokenizerJson(json, name);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    const std::string text =
        "It was a day, \xC3\xBC"
        "ber \xF0\x9F\x98\x80\n\x01";
    const auto encoded = tokenizer->Encode(text);
    ASSERT_TRUE(encoded.ok()) << encoded.status();
    EXPECT_LT(encoded->size(), text.size());  // some words were merged
    EXPECT_EQ(tokenizer->Decode(*encoded, false), text);
    EXPECT_EQ(tokenizer->TokenText(shape.eos), "</s>");
  }
}

TEST_F(SynthTest, WritesAModelThatLoads) {
  const auto result = WriteSynthModel(*FindSynthShape("tiny"), Folder("m"), {});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->files, 1);
  const auto model = LoadModel(Folder("m"));
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_TRUE(model->tokenizer.ok()) << model->tokenizer.status();
  EXPECT_EQ(model->parameters, result->parameters);
  EXPECT_TRUE(model->unused_tensors.empty());
}

TEST_F(SynthTest, SeedsRepeatAndShardsHoldTheSame) {
  const SynthShape& tiny = *FindSynthShape("tiny");
  ASSERT_TRUE(WriteSynthModel(tiny, Folder("a"), {.seed = 3}).ok());
  ASSERT_TRUE(WriteSynthModel(tiny, Folder("b"), {.seed = 3}).ok());
  ASSERT_TRUE(WriteSynthModel(tiny, Folder("c"), {.seed = 4}).ok());
  EXPECT_EQ(Files(Folder("a")), Files(Folder("b")));
  EXPECT_NE(Files(Folder("a"))["model.safetensors"], Files(Folder("c"))["model.safetensors"]);

  const auto sharded = WriteSynthModel(tiny, Folder("s"), {.seed = 3, .shard_bytes = 400'000});
  ASSERT_TRUE(sharded.ok()) << sharded.status();
  EXPECT_GT(sharded->files, 1);
  EXPECT_TRUE(fs::exists(Folder("s") + "/model-00001-of-0000" + std::to_string(sharded->files) +
                         ".safetensors"));
  const auto model = LoadModel(Folder("s"));
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->parameters, sharded->parameters);
}

TEST_F(SynthTest, ReplacesOnlyWhenForced) {
  const SynthShape& tiny = *FindSynthShape("tiny");
  ASSERT_TRUE(WriteSynthModel(tiny, Folder("m"), {.shard_bytes = 400'000}).ok());
  const auto refused = WriteSynthModel(tiny, Folder("m"), {});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("--force"));
  std::ofstream(Folder("m") + "/notes.txt") << "mine";
  ASSERT_TRUE(WriteSynthModel(tiny, Folder("m"), {.force = true}).ok());
  std::vector<std::string> names;
  for (const auto& [name, text] : Files(Folder("m"))) names.push_back(name);
  EXPECT_THAT(names,
              ElementsAre("config.json", "model.safetensors", "notes.txt", "tokenizer.json"));
}

TEST_F(SynthTest, LeavesNothingWhenItEndsEarly) {
  int calls = 0;
  const SynthOptions options{.shard_bytes = 400'000, .progress = [&](uint64_t, uint64_t) {
                               return ++calls > 20 ? absl::CancelledError("interrupted")
                                                   : absl::OkStatus();
                             }};
  const auto result = WriteSynthModel(*FindSynthShape("tiny"), Folder("m"), options);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kCancelled);
  EXPECT_FALSE(fs::exists(Folder("m")));
}

TEST_F(SynthTest, SaysWhereItCannotWrite) {
  std::ofstream(Folder("file")) << "x";
  const auto result = WriteSynthModel(*FindSynthShape("tiny"), Folder("file") + "/m", {});
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("cannot create the folder"));
}

}  // namespace
}  // namespace weft::tools
