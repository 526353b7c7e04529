#include "frontends/hub/hub_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <string>

#include "tests/http/hub_fixture.h"

namespace weft {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

class HubClientTest : public HubFixture {
 protected:
  void SetUp() override {
    HubFixture::SetUp();
    partial_ = folder_.path() + "/blob.incomplete";
    blob_ = folder_.path() + "/blob";
  }

  absl::StatusOr<HubRepo> Repo(const std::string& id) {
    return HubClient(environment_, options_.limits).Repo(id);
  }
  absl::StatusOr<HubFile> FileInfo(const std::string& id, const std::string& file) {
    return HubClient(environment_, options_.limits).FileInfo(id, kCommit, file);
  }

  // As Pull does it: ask, then download to blob_.
  absl::Status Download(const std::string& id, const std::string& file = "model.safetensors") {
    HubClient client(environment_, options_.limits);
    auto info = client.FileInfo(id, kCommit, file);
    if (!info.ok()) return info.status();
    return client.Download(id, kCommit, file, *info, partial_, blob_,
                           [this](uint64_t done, uint64_t total) {
                             last_done_ = done;
                             last_total_ = total;
                           });
  }

  void ExpectDownloaded(const std::string& id, const std::string& file = "model.safetensors") {
    EXPECT_EQ(ReadWholeFile(blob_), hub_->Content(id + "/" + file));
    EXPECT_FALSE(std::filesystem::exists(partial_));
    EXPECT_EQ(last_done_, std::filesystem::file_size(blob_));
    EXPECT_EQ(last_total_, last_done_);
  }

  // The Range headers that the content server got, "-" for none.
  std::vector<std::string> Ranges() {
    std::vector<std::string> ranges;
    for (const LoggedRequest& request : hub_->ContentRequests("model.safetensors")) {
      ranges.push_back(request.range.value_or("-"));
    }
    return ranges;
  }

  std::string partial_;
  std::string blob_;
  uint64_t last_done_ = 0;
  uint64_t last_total_ = 0;
};

TEST_F(HubClientTest, RepoGivesCommitAndFiles) {
  auto repo = Repo("plain/model");
  ASSERT_TRUE(repo.ok()) << repo.status();
  EXPECT_EQ(repo->commit, kCommit);
  EXPECT_THAT(repo->files, Contains("model.safetensors"));
}

TEST_F(HubClientTest, RelativeRedirectOfARenamedModelIsFollowed) {
  EXPECT_TRUE(Repo("renamed/model").ok());
  EXPECT_TRUE(Download("renamed/model").ok());
  ExpectDownloaded("plain/model");
}

TEST_F(HubClientTest, MissingOrPrivateModel) {
  auto repo = Repo("e401/model");
  EXPECT_EQ(repo.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(Message(repo.status()), HasSubstr("HF_TOKEN"));
  EXPECT_THAT(Message(repo.status()),
              HasSubstr("made to fail[31m"));  // without the escape character
  environment_.token = "hf_secret";
  repo = Repo("e401/model");
  EXPECT_THAT(Message(repo.status()), HasSubstr("the token in use"));
  EXPECT_THAT(Message(repo.status()), Not(HasSubstr("hf_secret")));
  EXPECT_EQ(Repo("e404/model").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(HubClientTest, GatedModelSaysWhereToAcceptTheLicence) {
  ASSERT_TRUE(Repo("gated/model").ok());
  auto info = FileInfo("gated/model", "config.json");
  EXPECT_EQ(info.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(Message(info.status()), HasSubstr(hub_->url() + "/gated/model"));
  EXPECT_THAT(Message(info.status()), HasSubstr("HF_TOKEN"));
  environment_.token = "hf_secret";
  EXPECT_TRUE(FileInfo("gated/model", "config.json").ok());
}

TEST_F(HubClientTest, TransientErrorsAreTriedAgainAFewTimes) {
  EXPECT_TRUE(Repo("e500/model").ok());
  EXPECT_TRUE(Download("e500/model").ok());
  ExpectDownloaded("e500/model");
  hub_->Reset();
  auto repo = Repo("e500always/model");
  EXPECT_EQ(repo.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(Message(repo.status()), HasSubstr("HTTP 500"));
  EXPECT_EQ(hub_->Log().size(), static_cast<size_t>(options_.limits.attempts));
}

TEST_F(HubClientTest, UnreachableHubIsNotTriedAgain) {
  environment_.endpoint = "http://127.0.0.1:1";
  options_.limits.backoff = std::chrono::minutes(1);
  EXPECT_EQ(Repo("plain/model").status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(HubClientTest, SilentHubIsNotTriedAgain) {
  options_.limits.metadata_timeout = std::chrono::milliseconds(500);
  EXPECT_EQ(Repo("slowapi/model").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(hub_->Log().size(), 1u);
}

TEST_F(HubClientTest, AnswersThatMakeNoSense) {
  for (const char* id : {"notjson/model", "noshas/model"}) {
    EXPECT_EQ(Repo(id).status().code(), absl::StatusCode::kInvalidArgument) << id;
  }
  for (const char* id : {"noetag/model", "oddetag/model", "othercommit/model"}) {
    auto info = FileInfo(id, "config.json");
    EXPECT_EQ(info.status().code(), absl::StatusCode::kInvalidArgument) << id;
  }
}

TEST_F(HubClientTest, FileInfoBelievesTheHubOverTheContentServer) {
  auto info = FileInfo("plain/model", "model.safetensors");
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->etag.size(), 64u);
  EXPECT_EQ(info->size, kWeightBytes);
  EXPECT_TRUE(hub_->ContentRequests("model.safetensors").empty());
  info = FileInfo("plain/model", "config.json");
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->etag.size(), 40u);
  EXPECT_EQ(info->size, 38u);
}

TEST_F(HubClientTest, TokenGoesToTheHubOnly) {
  environment_.token = "hf_secret";
  ASSERT_TRUE(Repo("plain/model").ok());
  ASSERT_TRUE(Download("plain/model").ok());
  ExpectDownloaded("plain/model");
  size_t to_cdn = 0;
  for (const LoggedRequest& request : hub_->Log()) {
    if (request.server == "hub") {
      EXPECT_EQ(request.authorization, "Bearer hf_secret") << request.path;
    } else {
      EXPECT_EQ(request.authorization, std::nullopt) << request.path;
      ++to_cdn;
    }
  }
  EXPECT_EQ(to_cdn, 1u);
}

TEST_F(HubClientTest, SmallFilesAndFilesWithoutRedirect) {
  ASSERT_TRUE(Download("plain/model", "config.json").ok());
  ExpectDownloaded("plain/model", "config.json");
  ASSERT_TRUE(Download("noredirect/model").ok());
  ExpectDownloaded("noredirect/model");
  ASSERT_TRUE(Download("nosize/model", "config.json").ok());
  ExpectDownloaded("nosize/model", "config.json");
}

TEST_F(HubClientTest, DroppedConnectionIsResumedWhereItBroke) {
  ASSERT_TRUE(Download("drop/model").ok());
  ExpectDownloaded("drop/model");
  // Half of the file, half of the rest, the rest.
  EXPECT_THAT(Ranges(), ElementsAre("-", "bytes=300000-", "bytes=450000-"));
}

TEST_F(HubClientTest, InterruptedDownloadIsResumedByTheNextRun) {
  options_.limits.attempts = 2;
  auto status = Download("dropalways/model");
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_EQ(std::filesystem::file_size(partial_), 100'000u);
  hub_->Reset();
  status = Download("dropalways/model");
  EXPECT_EQ(std::filesystem::file_size(partial_), 200'000u);
  EXPECT_THAT(Ranges(), ElementsAre("bytes=100000-", "bytes=150000-"));
}

TEST_F(HubClientTest, WhatAnotherProgramLeftIsUsed) {
  WriteWholeFile(partial_, hub_->Content("plain/model/model.safetensors").substr(0, 599'999));
  ASSERT_TRUE(Download("plain/model").ok());
  ExpectDownloaded("plain/model");
  EXPECT_THAT(Ranges(), ElementsAre("bytes=599999-"));
}

TEST_F(HubClientTest, CompletePartialFileIsOnlyChecked) {
  WriteWholeFile(partial_, hub_->Content("plain/model/model.safetensors"));
  ASSERT_TRUE(Download("plain/model").ok());
  ExpectDownloaded("plain/model");
  EXPECT_THAT(Ranges(), ElementsAre());
}

TEST_F(HubClientTest, UnusablePartialFileIsFetchedAnew) {
  WriteWholeFile(partial_, std::string(1000, 'x'));
  ASSERT_TRUE(Download("plain/model").ok());
  ExpectDownloaded("plain/model");
  EXPECT_THAT(Ranges(), ElementsAre("bytes=1000-", "-"));
  hub_->Reset();
  WriteWholeFile(partial_, std::string(kWeightBytes + 1, 'x'));  // longer than the file
  ASSERT_TRUE(Download("plain/model").ok());
  ExpectDownloaded("plain/model");
  EXPECT_THAT(Ranges(), ElementsAre("-"));
}

TEST_F(HubClientTest, IgnoredRangeStartsAnew) {
  ASSERT_TRUE(Download("norange/model").ok());
  ExpectDownloaded("norange/model");
  EXPECT_THAT(Ranges(), ElementsAre("-", "bytes=300000-", "bytes=300000-"));
}

TEST_F(HubClientTest, ConnectionThatNeverLastsEnds) {
  auto status = Download("norangealways/model");
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_EQ(Ranges().size(), static_cast<size_t>(options_.limits.attempts));
}

TEST_F(HubClientTest, RangeNotSatisfiableStartsAnew) {
  ASSERT_TRUE(Download("r416/model").ok());
  ExpectDownloaded("r416/model");
  EXPECT_THAT(Ranges(), ElementsAre("-", "bytes=300000-", "-"));
}

TEST_F(HubClientTest, OtherRangeThanAskedForStartsAnew) {
  ASSERT_TRUE(Download("badrange/model").ok());
  ExpectDownloaded("badrange/model");
  EXPECT_THAT(Ranges(), ElementsAre("-", "bytes=300000-", "-"));
  hub_->Reset();
  options_.limits.attempts = 2;
  std::filesystem::remove(blob_);
  auto status = Download("badrangealways/model");
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_THAT(Message(status), HasSubstr("300001"));
  EXPECT_EQ(std::filesystem::file_size(partial_), 0U) << "nobody can go on from it";
}

// Two megabytes again and again are no progress.
TEST_F(HubClientTest, WhatCameBeforeIsNoProgress) {
  auto status = Download("regress/model");
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_LE(Ranges().size(), static_cast<size_t>(options_.limits.attempts) + 1);
}

TEST_F(HubClientTest, ErrorsAndRedirectsWithoutEndAreAnswers) {
  EXPECT_EQ(Download("endless404/model").code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(Download("endless302/model").ok());
  ExpectDownloaded("endless302/model");
}

TEST_F(HubClientTest, AnEncodingNobodyAskedForIsRefused) {
  auto status = Download("packed/model");
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(Message(status), HasSubstr("gzip"));
}

TEST_F(HubClientTest, RepoGivesDigestsOfTheContent) {
  auto repo = Repo("plain/model");
  ASSERT_TRUE(repo.ok()) << repo.status();
  for (const char* file : {"model.safetensors", "config.json"}) {
    auto info = FileInfo("plain/model", file);
    ASSERT_TRUE(info.ok()) << info.status();
    EXPECT_EQ(repo->digests[file], info->etag) << file;
  }
  EXPECT_TRUE(Repo("nosizes/model")->digests.empty());
}

TEST_F(HubClientTest, WrongChecksumIsRemoved) {
  auto status = Download("badsum/model");
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(Message(status), HasSubstr("sha256"));
  EXPECT_FALSE(std::filesystem::exists(partial_));
  EXPECT_FALSE(std::filesystem::exists(blob_));
  status = Download("badgit/model", "config.json");
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(Message(status), HasSubstr("git blob sha1"));
  EXPECT_FALSE(std::filesystem::exists(partial_));
}

TEST_F(HubClientTest, MoreThanAnnouncedIsRefused) {
  auto status = Download("toomuch/model");
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(Message(status), HasSubstr("more than the 600000 bytes it announced"));
  EXPECT_FALSE(std::filesystem::exists(blob_));
  EXPECT_LE(std::filesystem::file_size(partial_), kWeightBytes);
}

TEST_F(HubClientTest, LessThanAnnouncedIsAnError) {
  auto status = Download("short/model");
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_THAT(Message(status), HasSubstr("model.safetensors"));
  EXPECT_FALSE(std::filesystem::exists(blob_));
}

TEST_F(HubClientTest, RedirectsThatAreNotFollowed) {
  auto status = Download("loop/model");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(Message(status), HasSubstr("more than 10 redirects"));
  for (const char* id : {"toftp/model", "tofile/model"}) {
    status = Download(id);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(Message(status), HasSubstr("only http and https"));
    EXPECT_FALSE(std::filesystem::exists(blob_));
  }
}

TEST_F(HubClientTest, StalledDownloadEnds) {
  options_.limits.stall_timeout = std::chrono::milliseconds(500);
  options_.limits.attempts = 1;
  auto start = std::chrono::steady_clock::now();
  auto status = Download("stall/model");
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_THAT(Message(status), HasSubstr("nothing received for 500 ms"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(8));
}

TEST_F(HubClientTest, NoSpaceIsSaidBeforeDownloading) {
  auto status = Download("huge/model");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_THAT(Message(status), HasSubstr("1.2 EB"));
  EXPECT_TRUE(Ranges().empty());
}

}  // namespace
}  // namespace weft
