#include "frontends/hub/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "tests/http/fake_hub.h"

namespace weft {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

absl::StatusOr<HubEnvironment> Read(const std::map<std::string, std::string>& variables) {
  return ReadHubEnvironment([&](const char* name) -> const char* {
    auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(EnvironmentTest, DefaultsFollowHome) {
  auto environment = Read({{"HOME", "/home/u"}});
  ASSERT_TRUE(environment.ok()) << environment.status();
  EXPECT_EQ(environment->endpoint, "https://huggingface.co");
  EXPECT_EQ(environment->hub_cache, "/home/u/.cache/huggingface/hub");
  EXPECT_EQ(environment->weft_cache, "/home/u/.cache/weft");
  EXPECT_EQ(environment->token, "");
  EXPECT_FALSE(environment->offline);
}

TEST(EnvironmentTest, TheNearerVariableWins) {
  std::map<std::string, std::string> variables = {{"HOME", "/home/u"}, {"XDG_CACHE_HOME", "/x"}};
  EXPECT_EQ(Read(variables)->hub_cache, "/x/huggingface/hub");
  EXPECT_EQ(Read(variables)->weft_cache, "/x/weft");
  variables["HF_HOME"] = "~/hf";
  EXPECT_EQ(Read(variables)->hub_cache, "/home/u/hf/hub");
  variables["HF_HUB_CACHE"] = "/cache";
  EXPECT_EQ(Read(variables)->hub_cache, "/cache");
  variables["HF_HUB_CACHE"] = "";  // set but empty is not set
  EXPECT_EQ(Read(variables)->hub_cache, "/home/u/hf/hub");
}

TEST(EnvironmentTest, EndpointLosesItsTrailingSlashAndMustBeAUrl) {
  EXPECT_EQ(Read({{"HOME", "/h"}, {"HF_ENDPOINT", "http://mirror:8080/"}})->endpoint,
            "http://mirror:8080");
  auto environment = Read({{"HOME", "/h"}, {"HF_ENDPOINT", "mirror"}});
  EXPECT_EQ(environment.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(environment.status().message()), HasSubstr("HF_ENDPOINT"));
  for (const char* url : {"ftp://someone:S3CRET@mirror/x", "someone:S3CRET@mirror"}) {
    environment = Read({{"HOME", "/h"}, {"HF_ENDPOINT", url}});
    EXPECT_THAT(std::string(environment.status().message()),
                AllOf(HasSubstr("mirror"), Not(HasSubstr("S3CRET"))));
  }
}

TEST(EnvironmentTest, TimeoutsAreSeconds) {
  EXPECT_EQ(Read({{"HOME", "/h"}})->stall_timeout, std::nullopt);
  const auto set =
      Read({{"HOME", "/h"}, {"HF_HUB_ETAG_TIMEOUT", "3"}, {"HF_HUB_DOWNLOAD_TIMEOUT", "0.5"}});
  EXPECT_EQ(set->metadata_timeout, std::chrono::milliseconds(3000));
  EXPECT_EQ(set->stall_timeout, std::chrono::milliseconds(500));
  for (const char* text : {"0", "-1", "nan", "inf", "1e9", "ten", "3s"}) {
    const auto bad = Read({{"HOME", "/h"}, {"HF_HUB_DOWNLOAD_TIMEOUT", text}});
    EXPECT_EQ(bad.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(bad.status().message()), HasSubstr("HF_HUB_DOWNLOAD_TIMEOUT"));
  }
}

TEST(EnvironmentTest, OfflineReadsTheWordsHuggingFaceDoes) {
  for (const char* word : {"1", "ON", "on", "Yes", "TRUE"}) {
    EXPECT_TRUE(Read({{"HOME", "/h"}, {"HF_HUB_OFFLINE", word}})->offline) << word;
  }
  for (const char* word : {"", "0", "off", "2"}) {
    EXPECT_FALSE(Read({{"HOME", "/h"}, {"HF_HUB_OFFLINE", word}})->offline) << word;
  }
}

TEST(EnvironmentTest, TokenComesFromTheVariableOrElseTheFile) {
  TemporaryFolder folder;
  WriteWholeFile(folder.path() + "/token", "hf_file\n");
  std::map<std::string, std::string> variables = {{"HOME", "/h"}, {"HF_HOME", folder.path()}};
  EXPECT_EQ(Read(variables)->token, "hf_file");
  variables["HF_TOKEN"] = " hf_variable ";
  EXPECT_EQ(Read(variables)->token, "hf_variable");
  WriteWholeFile(folder.path() + "/other", "hf_other");
  variables["HF_TOKEN"] = "";
  variables["HF_TOKEN_PATH"] = folder.path() + "/other";
  EXPECT_EQ(Read(variables)->token, "hf_other");
}

TEST(EnvironmentTest, TokenThatWouldAddAHeaderIsRefused) {
  auto environment = Read({{"HOME", "/h"}, {"HF_TOKEN", "a\r\nX-Evil: 1"}});
  EXPECT_EQ(environment.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(EnvironmentTest, NoHomeIsSaid) {
  auto environment = Read({});
  EXPECT_EQ(environment.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(environment.status().message()), HasSubstr("XDG_CACHE_HOME"));
}

}  // namespace
}  // namespace weft
