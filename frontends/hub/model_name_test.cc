#include "frontends/hub/model_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weft {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(ModelNameTest, HubNames) {
  auto name = ParseHubName("HuggingFaceTB/SmolLM2-135M_x.1");
  ASSERT_TRUE(name.ok()) << name.status();
  EXPECT_EQ(name->id, "HuggingFaceTB/SmolLM2-135M_x.1");
  EXPECT_EQ(name->selector, "");
  name = ParseHubName("org/name-GGUF:sub/File-Q8_0.gguf");
  ASSERT_TRUE(name.ok()) << name.status();
  EXPECT_EQ(name->id, "org/name-GGUF");
  EXPECT_EQ(name->selector, "sub/File-Q8_0.gguf");
}

TEST(ModelNameTest, NamesTheHubCannotHaveGivenAreRefused) {
  for (const char* name :
       {"", "gpt2", "a/b/c", "/name", "org/", "../name", "org/..", "-org/name", "org/name.",
        "org/a--b", "org/a..b", "org/na me", "org/n\xc3\xa4me", "org/name:", "org/name:../x.gguf",
        "org/name?x=1", "org/name:/etc/passwd", "org/name:a\nb"}) {
    EXPECT_FALSE(ParseHubName(name).ok()) << name;
  }
  EXPECT_FALSE(ParseHubName("org/" + std::string(97, 'a')).ok());
  EXPECT_TRUE(ParseHubName("org/" + std::string(96, 'a')).ok());
}

TEST(ModelNameTest, SafeFileNames) {
  for (const char* name : {"config.json", "a/b-c_d/e.gguf", "x (1), y@2=3+4.bin", "-dash"}) {
    EXPECT_TRUE(IsSafeFileName(name)) << name;
  }
  for (const std::string& name : std::vector<std::string>{"",
                                                          "/",
                                                          "/abs",
                                                          "a//b",
                                                          "a/",
                                                          ".",
                                                          "..",
                                                          "../x",
                                                          "a/../b",
                                                          "a/./b",
                                                          ".hidden",
                                                          "a\\b",
                                                          "c:d",
                                                          "a*b",
                                                          std::string("a\0b", 3),
                                                          "a\nb",
                                                          "a\x1b[m",
                                                          "\xc3\xa4.gguf",
                                                          "a;b",
                                                          "a$b",
                                                          "a%2e",
                                                          std::string(201, 'a'),
                                                          "1/2/3/4/5/6/7/8/9"}) {
    EXPECT_FALSE(IsSafeFileName(name)) << name;
  }
}

TEST(ModelNameTest, FolderTakesOneWeightFormatAndWhatTextNeeds) {
  auto selection = SelectFiles(
      {".gitattributes", "README.md", "config.json", "consolidated.safetensors",
       "generation_config.json", "model.safetensors", "model.safetensors.index.json",
       "onnx/model.onnx", "pytorch_model.bin", "tokenizer.json", "tokenizer_config.json",
       "chat_template.jinja", "special_tokens_map.json", "sub/config.json", "x-Q8_0.gguf"},
      "");
  ASSERT_TRUE(selection.ok()) << selection.status();
  EXPECT_EQ(selection->kind, ModelKind::kFolder);
  EXPECT_FALSE(selection->sharded);
  EXPECT_THAT(selection->files,
              ElementsAre("config.json", "generation_config.json", "tokenizer.json",
                          "tokenizer_config.json", "chat_template.jinja", "special_tokens_map.json",
                          "model.safetensors"));
}

TEST(ModelNameTest, ShardedFolderTakesTheIndex) {
  auto selection = SelectFiles({"model-00001-of-00002.safetensors", "config.json",
                                "model.safetensors.index.json", "model-00002-of-00002.safetensors"},
                               "");
  ASSERT_TRUE(selection.ok()) << selection.status();
  EXPECT_TRUE(selection->sharded);
  EXPECT_THAT(selection->files, ElementsAre("config.json", "model.safetensors.index.json"));
}

TEST(ModelNameTest, GgufByPreferenceAndPlainness) {
  std::vector<std::string> names = {"m-F16.gguf",       "m-UD-Q8_0.gguf", "m-Q8_0.gguf",
                                    "mmproj-Q8_0.gguf", "m-Q4_K_M.gguf",  "a/m-Q8_0.gguf"};
  EXPECT_THAT(SelectFiles(names, "")->files, ElementsAre("m-Q8_0.gguf"));
  EXPECT_EQ(SelectFiles(names, "")->kind, ModelKind::kGgufFile);
  EXPECT_THAT(SelectFiles(names, "q4_k_m")->files, ElementsAre("m-Q4_K_M.gguf"));
  EXPECT_THAT(SelectFiles(names, "F16")->files, ElementsAre("m-F16.gguf"));
  EXPECT_THAT(SelectFiles(names, "a/m-Q8_0.gguf")->files, ElementsAre("a/m-Q8_0.gguf"));
  EXPECT_THAT(SelectFiles(names, "mmproj-Q8_0.gguf")->files, ElementsAre("mmproj-Q8_0.gguf"));
  EXPECT_THAT(SelectFiles({"m.Q5_K_S.gguf", "odd.gguf"}, "")->files, ElementsAre("odd.gguf"));
}

TEST(ModelNameTest, QuantisationMatchesWholeWordsOnly) {
  auto selection = SelectFiles({"m-Q4_K_M.gguf", "mQ4_K.gguf"}, "Q4_K");
  EXPECT_EQ(selection.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(selection.status()), HasSubstr("m-Q4_K_M.gguf"));
}

TEST(ModelNameTest, SelectorPrefersGgufOfAMixedRepository) {
  std::vector<std::string> names = {"config.json", "model.safetensors", "m-Q8_0.gguf"};
  EXPECT_EQ(SelectFiles(names, "")->kind, ModelKind::kFolder);
  EXPECT_THAT(SelectFiles(names, "Q8_0")->files, ElementsAre("m-Q8_0.gguf"));
}

TEST(ModelNameTest, WhatCannotBeUsedIsSaid) {
  auto split = SelectFiles({"m-Q8_0-00001-of-00002.gguf", "m-Q8_0-00002-of-00002.gguf"}, "");
  EXPECT_EQ(split.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(split.status()), HasSubstr("split"));
  split = SelectFiles({"m-Q8_0-00001-of-00002.gguf"}, "m-Q8_0-00001-of-00002.gguf");
  EXPECT_THAT(Message(split.status()), HasSubstr("split"));
  auto none = SelectFiles({"config.json", "pytorch_model.bin", "adapter_model.safetensors"}, "");
  EXPECT_EQ(none.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(none.status()), HasSubstr("model.safetensors"));
  EXPECT_EQ(SelectFiles({}, "").status().code(), absl::StatusCode::kNotFound);
  auto evil = SelectFiles({"../../x-Q8_0.gguf"}, "");
  EXPECT_EQ(evil.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(evil.status()), HasSubstr("refused"));
}

TEST(ModelNameTest, ShardsAreSortedAndUnique) {
  auto shards = ShardsOfIndex(
      R"({"metadata": {}, "weight_map": {"a": "m-2.safetensors", "b": "m-1.safetensors", "c": "m-2.safetensors"}})",
      "index");
  ASSERT_TRUE(shards.ok()) << shards.status();
  EXPECT_THAT(*shards, ElementsAre("m-1.safetensors", "m-2.safetensors"));
}

TEST(ModelNameTest, BadIndexIsRefused) {
  for (const char* json :
       {"", "[", "[]", "null", R"({"weight_map": []})", R"({"weight_map": {}})",
        R"({"weight_map": {"a": 1}})", R"({"weight_map": {"a": "../x.safetensors"}})",
        R"({"weight_map": {"a": "/etc/x.safetensors"}})", R"({"weight_map": {"a": "x.bin"}})"}) {
    auto shards = ShardsOfIndex(json, "the index");
    EXPECT_EQ(shards.status().code(), absl::StatusCode::kInvalidArgument) << json;
    EXPECT_THAT(Message(shards.status()), HasSubstr("the index")) << json;
  }
}

}  // namespace
}  // namespace weft
