#include "frontends/text_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "frontends/gguf.h"
#include "frontends/model_test_util.h"

namespace weft {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(HfTextSettings, FilesAreOptional) {
  const TempFolder folder;
  const auto settings = ReadHfTextSettings(folder.path(), json::object());
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_FALSE(settings->bos_id.has_value());
  EXPECT_THAT(settings->eos_ids, IsEmpty());
  EXPECT_THAT(settings->chat_template, IsEmpty());
  EXPECT_FALSE(settings->sampling.temperature.has_value());
}

TEST(HfTextSettings, GenerationConfigGoesBeforeConfig) {
  const TempFolder folder;
  const json config = {{"eos_token_id", 5}, {"bos_token_id", 4}};
  EXPECT_THAT(ReadHfTextSettings(folder.path(), config)->eos_ids, ElementsAre(5));
  EXPECT_EQ(ReadHfTextSettings(folder.path(), config)->bos_id, 4);
  const json nested = {{"text_config", config}};
  EXPECT_THAT(ReadHfTextSettings(folder.path(), nested)->eos_ids, ElementsAre(5));
  folder.Write("generation_config.json", R"({"eos_token_id": [106, 1, 106], "do_sample": true,
    "top_k": 64, "top_p": 0.95, "temperature": 0.7, "min_p": null, "repetition_penalty": 1.1})");
  const auto settings = ReadHfTextSettings(folder.path(), config);
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_THAT(settings->eos_ids, ElementsAre(1, 106));
  EXPECT_EQ(settings->bos_id, 4);
  EXPECT_EQ(settings->sampling.do_sample, true);
  EXPECT_EQ(settings->sampling.top_k, 64);
  EXPECT_EQ(settings->sampling.top_p, 0.95);
  EXPECT_EQ(settings->sampling.temperature, 0.7);
  EXPECT_EQ(settings->sampling.min_p, std::nullopt);
  EXPECT_EQ(settings->sampling.repetition_penalty, 1.1);
}

TEST(HfTextSettings, ChatTemplatesInEveryForm) {
  const TempFolder folder;
  const auto chat_template = [&] {
    const auto settings = ReadHfTextSettings(folder.path(), json::object());
    return settings.ok() ? settings->chat_template : std::string(settings.status().message());
  };
  folder.Write("tokenizer_config.json", R"({"chat_template": "one", "bos_token": "<s>",
    "eos_token": {"content": "</s>", "lstrip": false}})");
  EXPECT_EQ(chat_template(), "one");
  EXPECT_EQ(ReadHfTextSettings(folder.path(), json::object())->bos_token, "<s>");
  EXPECT_EQ(ReadHfTextSettings(folder.path(), json::object())->eos_token, "</s>");
  folder.Write("tokenizer_config.json", R"({"chat_template": [{"name": "tool", "template": "a"},
    {"name": "default", "template": "b"}, {"name": "rag", "template": "c"}]})");
  EXPECT_EQ(chat_template(), "b");
  folder.Write("tokenizer_config.json",
               R"({"chat_template": [{"name": "tool", "template": "a"}]})");
  EXPECT_EQ(chat_template(), "a");
  folder.Write("tokenizer_config.json", R"({"chat_template": [3]})");
  EXPECT_THAT(chat_template(), HasSubstr("chat_template is no list of templates"));
  folder.Write("tokenizer_config.json", "{}");
  folder.Write("chat_template.jinja", "from a file");
  EXPECT_EQ(chat_template(), "from a file");
}

// A file that cannot be looked at may be there.
TEST(HfTextSettings, OnlyWhatIsNotThereIsLeftOut) {
  for (const char* name :
       {"generation_config.json", "tokenizer_config.json", "chat_template.jinja"}) {
    const TempFolder folder;
    std::filesystem::create_symlink("nothing", folder.File(name));
    EXPECT_TRUE(ReadHfTextSettings(folder.path(), json::object()).ok()) << name;
    std::filesystem::remove(folder.File(name));
    std::filesystem::create_symlink(name, folder.File(name));  // a circle
    EXPECT_THAT(std::string(ReadHfTextSettings(folder.path(), json::object()).status().message()),
                HasSubstr(folder.File(name)));
  }
}

TEST(HfTextSettings, ErrorsNameFileAndField) {
  const TempFolder folder;
  const auto error = [&](const json& config = json::object()) {
    return std::string(ReadHfTextSettings(folder.path(), config).status().message());
  };
  EXPECT_THAT(error({{"eos_token_id", "x"}}), HasSubstr("config.json: eos_token_id"));
  folder.Write("generation_config.json", R"({"eos_token_id": -1})");
  EXPECT_THAT(error(), HasSubstr("generation_config.json: eos_token_id"));
  folder.Write("generation_config.json", R"({"top_p": 7})");
  EXPECT_THAT(error(), HasSubstr("generation_config.json: top_p is 7"));
  folder.Write("generation_config.json", "{");
  EXPECT_THAT(error(), HasSubstr("generation_config.json: is no valid JSON"));
}

absl::StatusOr<TextSettings> ReadGguf(const GgufWriter& writer) {
  const std::string bytes = writer.Bytes();
  const auto header =
      ParseGguf({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, "v.gguf");
  if (!header.ok()) return header.status();
  return ReadGgufTextSettings(header->metadata);
}

TEST(GgufTextSettings, CollectEndsOfGeneration) {
  GgufWriter writer;
  writer.Number("tokenizer.ggml.eos_token_id", 3)
      .Number("tokenizer.ggml.bos_token_id", 0)
      .Texts("tokenizer.ggml.tokens", {"<s>", "a", "<end_of_turn>", "</s>"})
      .Text("tokenizer.chat_template", "{{ x }}")
      .Float("general.sampling.temp", 0.5F)
      .Number("general.sampling.top_k", 40);
  auto settings = ReadGguf(writer);
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->bos_id, 0);
  EXPECT_EQ(settings->bos_token, "<s>");
  EXPECT_EQ(settings->eos_token, "</s>");
  EXPECT_THAT(settings->eos_ids, ElementsAre(2, 3));
  EXPECT_EQ(settings->chat_template, "{{ x }}");
  EXPECT_EQ(settings->sampling.temperature, 0.5);
  EXPECT_EQ(settings->sampling.top_k, 40);
  EXPECT_FALSE(settings->sampling.top_p.has_value());
  writer.Number("tokenizer.ggml.eot_token_id", 1).Number("tokenizer.ggml.eom_token_id", 3);
  settings = ReadGguf(writer);
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_THAT(settings->eos_ids, ElementsAre(1, 3));
}

// -1, which writers put as an unsigned number too.
TEST(GgufTextSettings, TokensThatAreNone) {
  const auto settings = ReadGguf(GgufWriter()
                                     .Number("tokenizer.ggml.eos_token_id", 0xFFFFFFFF)
                                     .Number("tokenizer.ggml.bos_token_id", 0xFFFFFFFF));
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->bos_id, std::nullopt);
  EXPECT_TRUE(settings->eos_ids.empty());
  EXPECT_FALSE(ReadGguf(GgufWriter().Number("tokenizer.ggml.eos_token_id", 0xFFFFFFFE)).ok());
}

TEST(GgufTextSettings, AdviceThatNoSamplerTakesIsRefused) {
  for (const auto& [key, value] : {std::pair("temp", NAN),
                                   {"temp", -1.0F},
                                   {"temp", INFINITY},
                                   {"top_p", 1.5F},
                                   {"min_p", -0.5F},
                                   {"penalty_repeat", NAN}}) {
    const std::string name = absl::StrCat("general.sampling.", key);
    EXPECT_THAT(std::string(ReadGguf(GgufWriter().Float(name, value)).status().message()),
                AllOf(HasSubstr(name), HasSubstr("expected a number from 0 to")))
        << value;
  }
  EXPECT_THAT(
      std::string(ReadGguf(GgufWriter().Text("general.sampling.temp", "x")).status().message()),
      HasSubstr("general.sampling.temp"));
}

TEST(GgufTextSettings, ErrorsNameTheKey) {
  EXPECT_THAT(
      std::string(
          ReadGguf(GgufWriter().Text("tokenizer.ggml.eos_token_id", "x")).status().message()),
      HasSubstr("tokenizer.ggml.eos_token_id"));
  EXPECT_THAT(
      std::string(ReadGguf(GgufWriter().Number("tokenizer.chat_template", 1)).status().message()),
      HasSubstr("tokenizer.chat_template"));
  EXPECT_TRUE(ReadGguf(GgufWriter()).ok());
}

}  // namespace
}  // namespace weft
