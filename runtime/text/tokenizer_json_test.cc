#include "runtime/text/tokenizer_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "runtime/text/tokenizer_testing.h"

namespace weft {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string Error(const json& file) {
  const absl::StatusOr<TokenizerSpec> spec = SpecFromTokenizerJson(file.dump(), "t.json");
  return spec.ok() ? "no error" : std::string(spec.status().message());
}

// The small tokenizer with the value at `path` replaced.
json With(const std::string& path, const json& value) {
  json file = SmallTokenizerJson();
  file[json::json_pointer(path)] = value;
  return file;
}

TEST(TokenizerJson, ReadsEveryPart) {
  const absl::StatusOr<TokenizerSpec> spec =
      SpecFromTokenizerJson(SmallTokenizerJson().dump(), "t.json");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->tokens.size(), 262U);
  EXPECT_EQ(spec->tokens[257], "the");
  EXPECT_EQ(spec->types[257], TokenType::kNormal);
  EXPECT_EQ(spec->types[260], TokenType::kAddedOnly);
  EXPECT_THAT(spec->merges, ElementsAre(std::pair(int{'t'}, int{'h'}), std::pair(256, int{'e'}),
                                        std::pair(32, 257), std::pair(int{'i'}, int{'n'})))
      << "both forms of merges; the byte alphabet's id is the byte";
  EXPECT_THAT(spec->prefix, ElementsAre(260));
  EXPECT_THAT(spec->suffix, IsEmpty());
  EXPECT_EQ(spec->special_ids.bos, 260);
  EXPECT_EQ(spec->special_ids.eos, -1);
  ASSERT_EQ(spec->added_tokens.size(), 2U);
  EXPECT_TRUE(spec->added_tokens[0].special);
  EXPECT_TRUE(spec->added_tokens[1].rstrip && spec->added_tokens[1].normalized);
}

TEST(TokenizerJson, FilesFromBeforeModelTypes) {
  json file = SmallTokenizerJson();
  file["model"].erase("type");
  EXPECT_EQ(Error(file), "no error");
}

TEST(TokenizerJson, HolesInTheVocabulary) {
  const absl::StatusOr<TokenizerSpec> spec =
      SpecFromTokenizerJson(With("/model/vocab/gap", 1000).dump(), "t.json");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->tokens.size(), 1001U);
  EXPECT_EQ(spec->types[999], TokenType::kAbsent);
}

TEST(TokenizerJson, AddedTokensTakeTheModelsId) {
  json file = SmallTokenizerJson();
  file["added_tokens"][0]["content"] = "the";  // 257 in the model
  const absl::StatusOr<TokenizerSpec> spec = SpecFromTokenizerJson(file.dump(), "t.json");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->added_tokens[0].id, 257);
}

TEST(TokenizerJson, NormalizedTokensAreSearchedAsTheNormalizerLeavesThem) {
  json file = SmallTokenizerJson();
  file["normalizer"] = {{"type", "Lowercase"}};
  file["added_tokens"][1]["content"] = "<TOOL>";
  const absl::StatusOr<TokenizerSpec> spec = SpecFromTokenizerJson(file.dump(), "t.json");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->added_tokens[1].pattern, "<tool>");
  EXPECT_EQ(spec->added_tokens[1].content, "<TOOL>");
}

TEST(TokenizerJson, MistakesNameTheFieldAndWhatToDo) {
  EXPECT_THAT(Error(json::array()), HasSubstr("t.json: expected an object, found array"));
  EXPECT_THAT(Error(json::object()),
              HasSubstr("t.json: 'model' must be an object, and is missing"));
  EXPECT_EQ(Error(With("/model/type", "WordPiece")),
            "t.json: model: tokenizer model 'WordPiece' is not supported; only BPE is");
  EXPECT_THAT(Error(With("/model/type", 3)), HasSubstr("t.json: model: 'type' must be a string"));
  EXPECT_THAT(Error(With("/model/vocab", json::object())),
              HasSubstr("t.json: model: merges[0] of 't' and 'h'"));
  json empty = {{"model", {{"type", "BPE"}, {"vocab", json::object()}, {"merges", json::array()}}}};
  EXPECT_EQ(Error(empty), "t.json: the vocabulary is empty");
  EXPECT_THAT(Error(With("/model/vocab/th", -1)),
              HasSubstr("the id of 'th' must be a whole number from 0 to"));
  EXPECT_THAT(Error(With("/model/vocab/th", 4000000000U)),
              HasSubstr("the id of 'th' must be a whole number"));
  EXPECT_THAT(Error(With("/model/vocab/th", 1.5)),
              HasSubstr("the id of 'th' must be a whole number"));
  EXPECT_THAT(Error(With("/model/vocab/th", 257)), HasSubstr("have the same id 257"));
  EXPECT_THAT(Error(With("/model/merges/0", "t")),
              HasSubstr("model: merges[0] must be \"a b\" or"));
  EXPECT_THAT(Error(With("/model/merges/0", "t h e")), HasSubstr("merges[0] must be"));
  EXPECT_THAT(Error(With("/model/merges/0", {"t"})), HasSubstr("merges[0] must be"));
  EXPECT_THAT(Error(With("/model/merges/0", {"t", 3})), HasSubstr("merges[0] must be"));
  EXPECT_EQ(Error(With("/model/merges/2", "zz h")),
            "t.json: model: merges[2] of 'zz' and 'h': 'zz' is not in the vocabulary");
  EXPECT_THAT(Error(With("/model/unk_token", "<unk>")),
              HasSubstr("unk_token '<unk>' is not in the vocabulary"));
  EXPECT_THAT(Error(With("/model/dropout", 0.1)), HasSubstr("'dropout' must be null"));
  EXPECT_THAT(Error(With("/model/end_of_word_suffix", "</w>")),
              HasSubstr("'end_of_word_suffix' is not supported"));
  EXPECT_THAT(Error(With("/added_tokens/0/id", 1 << 30)),
              HasSubstr("added_tokens[0]: 'id' must be a whole number"));
  EXPECT_THAT(Error(With("/added_tokens/0/id", 257)),
              HasSubstr("'<s>' has id 257, which is 'the' already"));
  EXPECT_THAT(Error(With("/added_tokens/1/content", 7)),
              HasSubstr("t.json: added_tokens[1]: 'content' must be a string"));
  EXPECT_THAT(Error(With("/added_tokens/1/content", std::string(5000, 'x'))),
              HasSubstr("has 5000 bytes"));
  EXPECT_EQ(Error(With("/post_processor/type", "BertProcessing")),
            "t.json: post_processor: unknown post-processor 'BertProcessing' (known: Sequence, "
            "TemplateProcessing, ByteLevel)");
  const std::string processor = "/post_processor/processors/1";
  EXPECT_THAT(
      Error(With(processor + "/special_tokens", json::object())),
      HasSubstr(
          "post_processor.processors[1].special_tokens: '<s>' must be an object, and is missing"));
  EXPECT_THAT(
      Error(With(processor + "/special_tokens/<s>/ids", {262})),
      HasSubstr("t.json: token 262 is to be put around the text but the vocabulary has 262"));
  EXPECT_THAT(Error(With(processor + "/special_tokens/<s>/ids", {"x"})), HasSubstr("no token id"));
  EXPECT_THAT(Error(With(processor + "/single/0", {{"Sequence", {{"id", "B"}}}})),
              HasSubstr("twice"));
  EXPECT_THAT(Error(With("/normalizer/type", "Nmt")),
              HasSubstr("t.json: normalizer: unknown normalizer 'Nmt'"));
}

// The pre-tokenizer and the decoder are read when the tokenizer is built.
TEST(TokenizerJson, ComponentsThatAreNotKnown) {
  const auto error = [](const json& file) {
    return std::string(Tokenizer::FromTokenizerJson(file.dump(), "t.json").status().message());
  };
  EXPECT_THAT(
      error(With("/pre_tokenizer/pretokenizers/0/type", "UnicodeScripts")),
      HasSubstr("t.json: pre_tokenizer.pretokenizers[0]: unknown pre-tokenizer 'UnicodeScripts'"));
  EXPECT_THAT(error(With("/decoder/type", "WordPiece")),
              HasSubstr("t.json: decoder: unknown decoder 'WordPiece'"));
}

TEST(TokenizerJson, DamagedFilesAreErrorsOrWork) {
  int failed = 0;
  for (const json& damaged : Damaged(SmallTokenizerJson())) {
    const absl::StatusOr<Tokenizer> tokenizer =
        Tokenizer::FromTokenizerJson(damaged.dump(), "t.json");
    if (!tokenizer.ok()) {
      ++failed;
      EXPECT_THAT(std::string(tokenizer.status().message()), HasSubstr("t.json:"));
      continue;
    }
    const absl::StatusOr<std::vector<int32_t>> ids = tokenizer->Encode("the <tool> 12 in <s>");
    if (ids.ok()) tokenizer->Decode(*ids, false);
  }
  EXPECT_GT(failed, 200);
}

TEST(TokenizerJson, TruncatedFilesAreErrors) {
  const std::string text = SmallTokenizerJson().dump();
  for (size_t size = 0; size < text.size(); size += 7) {
    ASSERT_FALSE(SpecFromTokenizerJson(text.substr(0, size), "t.json").ok()) << size;
  }
}

}  // namespace
}  // namespace weft
