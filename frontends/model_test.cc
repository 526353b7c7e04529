#include "frontends/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "frontends/families/family.h"
#include "frontends/model_test_util.h"
#include "ir/evaluator.h"
#include "ir/text.h"
#include "ir/verifier.h"

namespace weft {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string ErrorOf(const std::string& path, const LoadOptions& options = {}) {
  const auto model = LoadModel(path, options);
  return model.ok() ? "no error" : std::string(model.status().message());
}

class TinyModel : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Families, TinyModel,
                         testing::Values("gpt2", "gpt2-wide", "llama-gqa", "llama3-rope",
                                         "mistral-swa", "qwen2", "qwen3", "phi3", "gemma2",
                                         "gemma3"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST_P(TinyModel, ReproducesTransformers) {
  const auto model = LoadModel(TinyFolder(GetParam()));
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_TRUE(ir::Verify(model->module).ok());
  EXPECT_EQ(model->module.name, GetParam());
  EXPECT_THAT(model->unused_tensors, IsEmpty());
  ExpectGolden(*model, LoadGolden(GetParam()));
}

TEST_P(TinyModel, GraphSurvivesItsTextForm) {
  const auto model = LoadModel(TinyFolder(GetParam()), {.tokenizer = false});
  ASSERT_TRUE(model.ok()) << model.status();
  const auto parsed = ir::Parse(ir::Print(model->module));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed, model->module);
}

struct GgufCase {
  const char* tiny_name;
  const char* architecture;
};

class TinyGgufModel : public testing::TestWithParam<GgufCase> {};

INSTANTIATE_TEST_SUITE_P(Families, TinyGgufModel,
                         testing::Values(GgufCase{"gpt2", "gpt2"}, GgufCase{"llama-gqa", "llama"},
                                         GgufCase{"mistral-swa", "llama"},
                                         GgufCase{"qwen2", "qwen2"}, GgufCase{"qwen3", "qwen3"},
                                         GgufCase{"phi3", "phi3"}, GgufCase{"gemma2", "gemma2"},
                                         GgufCase{"gemma3", "gemma3"}),
                         [](const auto& info) {
                           return std::string(info.param.tiny_name).substr(0, 7) == "mistral"
                                      ? "mistral"
                                      : info.param.architecture;
                         });

TEST_P(TinyGgufModel, ReproducesTransformers) {
  const TempFolder folder;
  folder.Write("tiny.gguf", TinyGguf(GetParam().tiny_name, GetParam().architecture).Bytes());
  const auto model = LoadModel(folder.File("tiny.gguf"));
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->module.name, "tiny");
  EXPECT_THAT(model->unused_tensors, IsEmpty());
  EXPECT_THAT(model->hidden_locations, Contains("blk.0"));
  ExpectGolden(*model, LoadGolden(GetParam().tiny_name));
}

TEST(Model, GgufFileAloneInAFolderIsFound) {
  const TempFolder folder;
  folder.Write("some-model.gguf", TinyGguf("qwen2", "qwen2").Bytes());
  const auto model = LoadModel(folder.path());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->path, folder.File("some-model.gguf"));
}

// Divisors as the llama.cpp converter computes them (conversion of "llama3" scaling): 1 up to the
// short wavelength, the factor from the long one on.
TEST(Model, Llama3DivisorsOfGguf) {
  const TempFolder folder;
  GgufWriter writer = TinyGguf("llama3-rope", "llama");
  std::vector<float> divisors;
  for (int i = 0; i < 8; ++i) {
    const double wavelength = 2 * M_PI * std::pow(500000.0, i / 8.0);
    const double smooth = (32 / wavelength - 1) / (4 - 1);
    divisors.push_back(static_cast<float>(wavelength < 8    ? 1
                                          : wavelength > 32 ? 8
                                                            : 1 / ((1 - smooth) / 8 + smooth)));
  }
  writer.Tensor({"rope_freqs.weight", {8}, divisors});
  folder.Write("m.gguf", writer.Bytes());
  const auto model = LoadModel(folder.File("m.gguf"));
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_THAT(model->unused_tensors, ElementsAre("rope_freqs.weight"));
  ExpectGolden(*model, LoadGolden("llama3-rope"));
}

TEST(Model, CarriesWhatRunsNeed) {
  const auto model = LoadModel(TinyFolder("gemma2"));
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->config.family->name, "gemma2");
  EXPECT_EQ(model->context, 256);
  EXPECT_EQ(model->text.bos_id, 0);
  EXPECT_THAT(model->text.eos_ids, ElementsAre(1));
  ASSERT_TRUE(model->tokenizer.ok()) << model->tokenizer.status();
  EXPECT_EQ((*model->tokenizer)->vocab_size(), 512);
  EXPECT_EQ((*model->tokenizer)->bos_id(), 0);
  EXPECT_EQ((*model->tokenizer)->eos_id(), 1);
  // 512·64 + 4·(4·64 + 2·(64·128) + 2·(64·64) + 3·(64·160)) + 64
  EXPECT_EQ(model->parameters, 255040);
  ASSERT_EQ(model->weight_types.size(), 1U);
  EXPECT_EQ(model->weight_types[0].type, DataType::kF32);
  EXPECT_EQ(model->weight_types[0].tensors, 1 + 4 * 11 + 1);
  EXPECT_EQ(model->weight_types[0].bytes, 4U * 255040);
  EXPECT_GT(model->file_bytes, 4U * 255040);
  std::vector<std::string> names;
  for (const ConfigFile& file : model->config_files)
    names.push_back(file.path.substr(file.path.rfind('/') + 1));
  EXPECT_THAT(names, ElementsAre("config.json", "generation_config.json", "tokenizer.json"));
}

TEST(Model, MissingTokenizerIsAnErrorOnlyWhereItIsUsed) {
  const TempFolder folder;
  folder.LinkWeights("qwen2");
  folder.Write("config.json", TinyConfig("qwen2").dump());
  const auto model = LoadModel(folder.path());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_THAT(std::string(model->tokenizer.status().message()),
              HasSubstr("tokenizer.json: is missing"));
  EXPECT_THAT(std::string(LoadTokenizer(folder.path()).status().message()),
              HasSubstr("tokenizer.json: is missing"));
  EXPECT_TRUE(LoadTokenizer(TinyFolder("qwen2")).ok());
}

TEST(Model, VocabularyOnlyGgufTokenizes) {
  const TempFolder folder;
  GgufWriter writer;
  writer.Text("general.architecture", "llama")
      .Text("tokenizer.ggml.model", "gpt2")
      .Text("tokenizer.ggml.pre", "gpt-2")
      .Texts("tokenizer.ggml.tokens", {"a", "b", "ab"})
      .Texts("tokenizer.ggml.merges", {"a b"});
  folder.Write("vocab.gguf", writer.Bytes());
  const auto tokenizer = LoadTokenizer(folder.File("vocab.gguf"));
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_THAT(*(*tokenizer)->Encode("aab"), ElementsAre(0, 2));
  EXPECT_THAT(ErrorOf(folder.File("vocab.gguf")), HasSubstr("has a vocabulary but no tensors"));
}

TEST(Model, WhatIsNoModelIsAClearError) {
  const TempFolder folder;
  EXPECT_THAT(ErrorOf(folder.File("nothing")), HasSubstr("there is no such file or folder"));
  EXPECT_THAT(ErrorOf(folder.path()), HasSubstr("config.json: is missing; a model is a folder"));
  folder.Write("empty.gguf", "");
  EXPECT_THAT(ErrorOf(folder.File("empty.gguf")), HasSubstr("empty.gguf"));
  folder.Write("letter.txt", "Dear Sir or Madam, this is not a model.");
  EXPECT_THAT(ErrorOf(folder.File("letter.txt")), HasSubstr("letter.txt"));
  EXPECT_THAT(ErrorOf(TinyFolder("gpt2") + "/model.safetensors"),
              HasSubstr("give the folder that holds it"));
  folder.Write("config.json", "");
  EXPECT_THAT(ErrorOf(folder.path()), HasSubstr("config.json: is empty"));
  folder.Write("config.json", "{\"model_type\": ");
  EXPECT_THAT(ErrorOf(folder.path()), HasSubstr("config.json: model_type is no valid JSON"));
  folder.Write("config.json", "{\"model_type\": \"mamba\"}");
  EXPECT_THAT(ErrorOf(folder.path()),
              AllOf(HasSubstr("model_type 'mamba' is unknown"), HasSubstr("gemma3_text, gpt2")));
  folder.Write("config.json", TinyConfig("gpt2").dump());
  EXPECT_THAT(ErrorOf(folder.path()), HasSubstr("safetensors"));
}

TEST(Model, TruncatedWeightsAreAnError) {
  const TempFolder folder;
  folder.Write("config.json", TinyConfig("gpt2").dump());
  const std::string weights = TextOf(TinyFolder("gpt2") + "/model.safetensors");
  for (const size_t size : {size_t{0}, size_t{7}, size_t{500}, weights.size() - 1}) {
    folder.Write("model.safetensors", weights.substr(0, size));
    EXPECT_THAT(ErrorOf(folder.path()), HasSubstr("model.safetensors")) << size;
  }
  const std::string gguf = TinyGguf("qwen2", "qwen2").Bytes();
  for (const size_t size : {size_t{3}, size_t{100}, gguf.size() / 2, gguf.size() - 1}) {
    folder.Write("m.gguf", gguf.substr(0, size));
    EXPECT_THAT(ErrorOf(folder.File("m.gguf")), HasSubstr("m.gguf")) << size;
  }
}

TEST(Model, FindsTheFilesThatItLoads) {
  const TempFolder folder;
  folder.LinkWeights("gpt2");
  folder.Write("config.json", TinyConfig("gpt2").dump());
  folder.Write("chat_template.jinja", "x");
  folder.Write("README.md", "x");
  const auto files = FindModelFiles(folder.path());
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_THAT(files->config,
              ElementsAre(folder.File("config.json"), folder.File("chat_template.jinja")));
  const auto model = LoadModel(folder.path());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(files->weights, model->weight_files);
  std::vector<std::string> read;
  for (const ConfigFile& file : model->config_files) read.push_back(file.path);
  EXPECT_EQ(files->config, read);
  EXPECT_EQ(files->name, model->module.name);

  folder.Write("m.gguf", "x");
  const auto gguf = FindModelFiles(folder.File("m.gguf"));
  ASSERT_TRUE(gguf.ok()) << gguf.status();
  EXPECT_EQ(gguf->name, "m");
  EXPECT_THAT(gguf->weights, ElementsAre(folder.File("m.gguf")));
  EXPECT_TRUE(gguf->config.empty());
  EXPECT_FALSE(FindModelFiles(folder.File("nothing")).ok());
}

// sha256sum's, of files that are written here.
TEST(Model, KnowsTheDigestsOfTheTextsThatItRead) {
  const TempFolder folder;
  folder.LinkWeights("gpt2");
  folder.Write("config.json", TinyConfig("gpt2").dump());
  folder.Write("generation_config.json", "{}");
  folder.Write("tokenizer.json", "abc");
  folder.Write("chat_template.jinja", "");
  for (const bool tokenizer : {true, false}) {
    const auto model = LoadModel(folder.path(), {.tokenizer = tokenizer});
    ASSERT_TRUE(model.ok()) << model.status();
    ASSERT_EQ(model->config_files.size(), 4);
    EXPECT_EQ(model->config_files[1].path, folder.File("generation_config.json"));
    EXPECT_EQ(model->config_files[1].bytes, 2);
    EXPECT_EQ(model->config_files[1].sha256,
              "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    EXPECT_EQ(model->config_files[2].path, folder.File("tokenizer.json"));
    EXPECT_EQ(model->config_files[2].sha256,
              tokenizer ? "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" : "");
    EXPECT_EQ(model->config_files[3].sha256,
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  }
}

// A circle of links stands for a device that fails for a moment.
TEST(Model, WhatCannotBeLookedAtIsNotTakenForMissing) {
  for (const char* name : {"config.json", "model.safetensors", "model.safetensors.index.json",
                           "generation_config.json", "chat_template.jinja"}) {
    const TempFolder folder;
    folder.Write("other.gguf", TinyGguf("qwen2", "qwen2").Bytes());
    folder.Write("config.json", TinyConfig("gpt2").dump());
    folder.Write("other.safetensors", TextOf(TinyFolder("gpt2") + "/model.safetensors"));
    std::filesystem::remove(folder.File(name));
    std::filesystem::create_symlink(name, folder.File(name));
    EXPECT_THAT(ErrorOf(folder.path()), HasSubstr(folder.File(name)));
    EXPECT_THAT(std::string(FindModelFiles(folder.path()).status().message()),
                HasSubstr(folder.File(name)));
  }
  const TempFolder folder;
  folder.Write("tokenizer.json", TextOf(TinyFolder("gpt2") + "/tokenizer.json"));
  EXPECT_TRUE(LoadTokenizer(folder.path()).ok());
  std::filesystem::create_symlink("config.json", folder.File("config.json"));
  EXPECT_THAT(std::string(LoadTokenizer(folder.path()).status().message()),
              HasSubstr(folder.File("config.json")));
}

TEST(Model, ContextIsBoundedByTheModel) {
  EXPECT_THAT(ErrorOf(TinyFolder("gpt2"), {.context = 129}),
              AllOf(HasSubstr("a context of 129"), HasSubstr("n_positions"), HasSubstr("is 128")));
  const auto model = LoadModel(TinyFolder("qwen2"), {.context = 100});
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->context, 100);
}

}  // namespace
}  // namespace weft
