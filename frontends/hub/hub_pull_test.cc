#include "frontends/hub/hub_pull.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "frontends/hub/hub_cache.h"
#include "tests/http/hub_fixture.h"

namespace weft {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class HubPullTest : public HubFixture {
 protected:
  absl::StatusOr<ResolvedModel> Pull(const std::string& name) {
    auto parsed = ParseHubName(name);
    if (!parsed.ok()) return parsed.status();
    return PullRepo(*parsed, environment_, options_);
  }
  static std::set<std::string> Names(const std::string& folder) {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder)) {
      names.insert(entry.path().filename().string());
    }
    return names;
  }
};

TEST_F(HubPullTest, SnapshotHasTheFilesOfAFolder) {
  auto model = Pull("plain/model");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->kind, ModelKind::kFolder);
  EXPECT_EQ(model->path, Repo("plain--model") + "/snapshots/" + kCommit);
  EXPECT_THAT(Names(model->path), ElementsAre("config.json", "generation_config.json",
                                              "model.safetensors", "tokenizer.json"));
  for (const std::string& name : Names(model->path)) {
    EXPECT_EQ(ReadWholeFile(model->path + "/" + name), hub_->Content("plain/model/" + name));
    EXPECT_TRUE(fs::is_symlink(model->path + "/" + name));
  }
  EXPECT_EQ(ReadWholeFile(Repo("plain--model") + "/refs/main"), kCommit);
  EXPECT_EQ(Names(Repo("plain--model") + "/blobs").size(), 4u);
}

TEST_F(HubPullTest, ProgressEndsCompleteForEachFile) {
  ASSERT_TRUE(Pull("plain/model").ok());
  ASSERT_FALSE(reports_.empty());
  EXPECT_EQ(reports_.back().file, "model.safetensors");
  EXPECT_EQ(reports_.back().done, kWeightBytes);
  EXPECT_EQ(reports_.back().total, kWeightBytes);
}

TEST_F(HubPullTest, SecondPullAsksOnlyForTheCommit) {
  ASSERT_TRUE(Pull("plain/model").ok());
  hub_->Reset();
  auto model = Pull("plain/model");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(hub_->Log().size(), 1u);
}

TEST_F(HubPullTest, NewCommitSharesWhatDidNotChange) {
  ASSERT_TRUE(Pull("moving/model").ok());
  auto model = Pull("moving/model");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->path, Repo("moving--model") + "/snapshots/" + kNextCommit);
  EXPECT_EQ(ReadWholeFile(Repo("moving--model") + "/refs/main"), kNextCommit);
  EXPECT_EQ(Names(model->path).size(), 4u);
  EXPECT_EQ(hub_->ContentRequests("model.safetensors").size(), 1u);
}

TEST_F(HubPullTest, BlobOfAnotherSizeIsFetchedAnew) {
  auto model = Pull("plain/model");
  ASSERT_TRUE(model.ok()) << model.status();
  const std::string weights = model->path + "/model.safetensors";
  WriteWholeFile(fs::canonical(weights).string(), "cut");
  fs::remove(weights);
  ASSERT_TRUE(Pull("plain/model").ok());
  EXPECT_EQ(fs::file_size(weights), kWeightBytes);
}

TEST_F(HubPullTest, LinkedBlobOfAnotherSizeIsFetchedAnew) {
  auto model = Pull("plain/model");
  ASSERT_TRUE(model.ok()) << model.status();
  for (const char* name : {"/model.safetensors", "/config.json"}) {
    WriteWholeFile(fs::canonical(model->path + name).string(), "cut");
    ASSERT_TRUE(Pull("plain/model").ok());
    EXPECT_EQ(ReadWholeFile(model->path + name), hub_->Content(std::string("plain/model") + name));
  }
}

// What one server, trusted once, put in place of the weights, the next need not take.
TEST_F(HubPullTest, AFileOfAnotherBlobIsFetchedAnew) {
  for (const char* id : {"plain", "nosizes"}) {  // by the list, and by the file's own ETag
    auto model = Pull(std::string(id) + "/model");
    ASSERT_TRUE(model.ok()) << model.status();
    const std::string weights = model->path + "/model.safetensors";
    const std::string blob = fs::canonical(weights).parent_path().string() + "/65a1b2c3-1388";
    WriteWholeFile(blob, std::string(kWeightBytes, 'x'));
    fs::remove(weights);
    fs::create_symlink(blob, weights);
    ASSERT_TRUE(Pull(std::string(id) + "/model").ok());
    EXPECT_EQ(ReadWholeFile(weights), hub_->Content(std::string(id) + "/model/model.safetensors"));
    // A cache without links has files alone.
    fs::remove(weights);
    WriteWholeFile(weights, std::string(kWeightBytes, 'x'));
    ASSERT_TRUE(Pull(std::string(id) + "/model").ok());
    EXPECT_EQ(ReadWholeFile(weights), std::string(kWeightBytes, 'x'));
  }
}

TEST_F(HubPullTest, DigestsOfTheListHoldWhereETagsAreNone) {
  auto model = Pull("weaketag/model");
  ASSERT_TRUE(model.ok()) << model.status();
  for (const std::string& name : Names(model->path))
    EXPECT_EQ(ReadWholeFile(model->path + "/" + name), hub_->Content("weaketag/model/" + name));
  model = Pull("altered/model");
  EXPECT_EQ(model.status().code(), absl::StatusCode::kDataLoss) << model.status();
  EXPECT_THAT(std::string(model.status().message()), HasSubstr("sha256"));
}

TEST_F(HubPullTest, FilesWithOneETagAreNotOne) {
  auto model = Pull("sametag/model");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(Names(model->path).size(), 6U);
  for (const std::string& name : Names(model->path))
    EXPECT_EQ(ReadWholeFile(model->path + "/" + name), hub_->Content("sametag/model/" + name));
}

// A mirror need not know them.
TEST_F(HubPullTest, WhereTheListHasNoSizesEachFileIsAskedAbout) {
  auto model = Pull("nosizes/model");
  ASSERT_TRUE(model.ok()) << model.status();
  hub_->Reset();
  WriteWholeFile(fs::canonical(model->path + "/model.safetensors").string(), "cut");
  ASSERT_TRUE(Pull("nosizes/model").ok());
  EXPECT_EQ(fs::file_size(model->path + "/model.safetensors"), kWeightBytes);
  EXPECT_EQ(hub_->ContentRequests("model.safetensors").size(), 1u);
}

// Of the address, whoever reads a message sees neither the password nor signatures.
TEST_F(HubPullTest, MessagesDoNotShowSecrets) {
  options_.limits.attempts = 1;
  options_.limits.metadata_timeout = std::chrono::milliseconds(500);
  options_.limits.stall_timeout = std::chrono::milliseconds(500);
  const std::string host = environment_.endpoint.substr(std::string("http://").size());
  environment_.endpoint = "http://someone:p@S3CRET@" + host;
  for (const char* mode :
       {"e401",    "e404",        "e500always", "notjson",    "noshas",   "noetag",
        "oddetag", "othercommit", "loop",       "loopapi",    "toftp",    "tofile",
        "nourl",   "slowapi",     "stall",      "dropalways", "badrange", "toomuch",
        "short",   "badsum",      "evilindex",  "ghostindex", "nothing",  "unknown"}) {
    auto model = Pull(std::string(mode) + "/model");
    ASSERT_FALSE(model.ok()) << mode;
    EXPECT_THAT(std::string(model.status().message()),
                Not(AnyOf(HasSubstr("S3CRET"), HasSubstr("s3cret"))))
        << mode;
  }
  environment_.endpoint = "http://someone:S3CRET@127.0.0.1:1";
  EXPECT_THAT(std::string(Pull("plain/model").status().message()), Not(HasSubstr("S3CRET")));
}

TEST_F(HubPullTest, Shards) {
  auto model = Pull("sharded/model");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_THAT(Names(model->path),
              ElementsAre("config.json", "generation_config.json",
                          "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
                          "model.safetensors.index.json", "tokenizer.json"));
}

TEST_F(HubPullTest, Gguf) {
  auto model = Pull("gguf/model");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->kind, ModelKind::kGgufFile);
  EXPECT_EQ(model->path, Repo("gguf--model") + "/snapshots/" + kCommit + "/Tiny-Q8_0.gguf");
  model = Pull("gguf/model:Q4_K_M");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(ReadWholeFile(model->path), hub_->Content("gguf/model/Tiny-Q4_K_M.gguf"));
  model = Pull("gguf/model:Q2_K");
  EXPECT_EQ(model.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(model.status().message()),
              AllOf(HasSubstr("gguf/model"), HasSubstr("Tiny-Q4_K_M.gguf")));
}

TEST_F(HubPullTest, GgufInAFolder) {
  auto model = Pull("nested/model");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(ReadWholeFile(model->path), hub_->Content("nested/model/Q6/Tiny-Q6_K.gguf"));
}

TEST_F(HubPullTest, NamesThatLeadOutOfTheFolderAreRefused) {
  for (const char* id : {"evilgguf/model", "evilindex/model"}) {
    auto model = Pull(id);
    EXPECT_EQ(model.status().code(), absl::StatusCode::kInvalidArgument) << model.status();
  }
  EXPECT_THAT(Names(folder_.path()), ElementsAre("hub"));
  EXPECT_FALSE(fs::exists(Repo("evilindex--model") + "/refs/main"));
}

TEST_F(HubPullTest, RepositoriesThatCannotBeUsed) {
  auto model = Pull("ghostindex/model");
  EXPECT_EQ(model.status().code(), absl::StatusCode::kNotFound) << model.status();
  model = Pull("nothing/model");
  EXPECT_EQ(model.status().code(), absl::StatusCode::kNotFound) << model.status();
  EXPECT_THAT(std::string(model.status().message()), HasSubstr("nothing/model"));
}

TEST_F(HubPullTest, FailedPullLeavesNoModelAndIsFinishedLater) {
  options_.limits.attempts = 1;
  EXPECT_FALSE(Pull("drop/model").ok());
  EXPECT_FALSE(HubCache(environment_.hub_cache, "drop/model").Find("")->has_value());
  EXPECT_FALSE(fs::exists(Repo("drop--model") + "/refs/main"));
  EXPECT_FALSE(Pull("drop/model").ok());
  auto model = Pull("drop/model");
  ASSERT_TRUE(model.ok()) << model.status();
  std::vector<std::string> ranges;
  for (const auto& request : hub_->ContentRequests("model.safetensors")) {
    ranges.push_back(request.range.value_or("-"));
  }
  EXPECT_THAT(ranges, ElementsAre("-", "bytes=300000-", "bytes=450000-"));
}

TEST_F(HubPullTest, TwoPullsAtOnceDownloadEachBlobOnce) {
  std::vector<std::thread> threads;
  std::vector<absl::StatusOr<ResolvedModel>> models(4, absl::UnknownError("not run"));
  for (auto& model : models) threads.emplace_back([&] { model = Pull("slow/model"); });
  for (auto& thread : threads) thread.join();
  for (auto& model : models) {
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ(fs::file_size(model->path + "/model.safetensors"), kWeightBytes);
  }
  EXPECT_EQ(hub_->ContentRequests("model.safetensors").size(), 1u);
  EXPECT_THAT(notes_, HasSubstr("waiting for another process"));
}

TEST_F(HubPullTest, UnreachableHubLeavesTheCachedModel) {
  ASSERT_TRUE(Pull("plain/model").ok());
  environment_.endpoint = "http://127.0.0.1:1";
  auto model = Pull("plain/model");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_THAT(notes_, HasSubstr("using the copy in the cache"));
  model = Pull("drop/model");
  EXPECT_EQ(model.status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(HubPullTest, UnwritableCache) {
  WriteWholeFile(environment_.hub_cache, "a file");
  auto model = Pull("plain/model");
  EXPECT_FALSE(model.ok());
  EXPECT_THAT(std::string(model.status().message()), HasSubstr("HF_HUB_CACHE"));
}

}  // namespace
}  // namespace weft
