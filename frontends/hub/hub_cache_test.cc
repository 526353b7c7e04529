#include "frontends/hub/hub_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <string>

#include "tests/http/fake_hub.h"

namespace weft {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class HubCacheTest : public ::testing::Test {
 protected:
  // As a download does it: a blob and a link.
  void Put(const std::string& commit, const std::string& file, const std::string& bytes = "x") {
    ASSERT_TRUE(cache_.Prepare().ok());
    const std::string etag = "etag-" + std::to_string(++count_);
    WriteWholeFile(cache_.BlobPath(etag), bytes);
    ASSERT_TRUE(cache_.Link(commit, file, etag).ok());
  }
  void PutModel(const std::string& commit) {
    for (const char* file : {"config.json", "model.safetensors", "tokenizer.json"}) {
      Put(commit, file);
    }
  }

  std::optional<CachedModel> Find(absl::string_view selector) {
    const auto found = cache_.Find(selector);
    EXPECT_TRUE(found.ok()) << found.status();
    return found.value_or(std::nullopt);
  }

  TemporaryFolder folder_;
  HubCache cache_{folder_.path(), "org/name"};
  int count_ = 0;
};

TEST_F(HubCacheTest, LayoutIsHuggingFaces) {
  const std::string repo = folder_.path() + "/models--org--name";
  EXPECT_EQ(cache_.BlobPath("e"), repo + "/blobs/e");
  EXPECT_EQ(cache_.SnapshotFile("c", "a/b"), repo + "/snapshots/c/a/b");
  EXPECT_EQ(cache_.LockPath("e"), folder_.path() + "/.locks/models--org--name/e.lock");
}

TEST_F(HubCacheTest, LinksAreRelativeAndReachTheBlob) {
  Put("c1", "config.json", "top");
  Put("c1", "sub/folder/x.gguf", "deep");
  EXPECT_EQ(fs::read_symlink(cache_.SnapshotFile("c1", "config.json")), "../../blobs/etag-1");
  EXPECT_EQ(fs::read_symlink(cache_.SnapshotFile("c1", "sub/folder/x.gguf")),
            "../../../../blobs/etag-2");
  EXPECT_EQ(ReadWholeFile(cache_.SnapshotFile("c1", "config.json")), "top");
  EXPECT_EQ(ReadWholeFile(cache_.SnapshotFile("c1", "sub/folder/x.gguf")), "deep");
  EXPECT_TRUE(*cache_.Has("c1", "config.json"));
  fs::remove(cache_.BlobPath("etag-1"));
  EXPECT_FALSE(*cache_.Has("c1", "config.json"));
}

TEST_F(HubCacheTest, NothingIsFoundInAnEmptyCache) {
  EXPECT_FALSE(Find("").has_value());
  ASSERT_TRUE(cache_.Prepare().ok());
  EXPECT_FALSE(Find("").has_value());
}

TEST_F(HubCacheTest, MainIsPreferredOverNewer) {
  PutModel("c1");
  PutModel("c2");
  fs::last_write_time(cache_.SnapshotFolder("c1"),
                      fs::file_time_type::clock::now() - std::chrono::hours(1));
  EXPECT_EQ(Find("")->model.path, cache_.SnapshotFolder("c2"));
  ASSERT_TRUE(cache_.WriteMainRef("c1").ok());
  EXPECT_EQ(Find("")->model.path, cache_.SnapshotFolder("c1"));
  EXPECT_EQ(Find("")->model.kind, ModelKind::kFolder);
  EXPECT_TRUE(Find("")->has_tokenizer);
}

TEST_F(HubCacheTest, IncompleteSnapshotsAreNotModels) {
  Put("c1", "config.json");
  Put("c1", "tokenizer.json");
  ASSERT_TRUE(cache_.WriteMainRef("c1").ok());
  EXPECT_FALSE(Find("").has_value());
  Put("c1", "model.safetensors");
  EXPECT_TRUE(Find("").has_value());
  fs::remove(cache_.SnapshotFile("c1", "tokenizer.json"));
  EXPECT_FALSE(Find("")->has_tokenizer);
}

TEST_F(HubCacheTest, EveryShardMustBeThere) {
  Put("c1", "config.json");
  Put("c1", "model.safetensors.index.json",
      R"({"weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors"}})");
  Put("c1", "m-1.safetensors");
  EXPECT_FALSE(Find("").has_value());
  Put("c1", "m-2.safetensors");
  EXPECT_TRUE(Find("").has_value());
}

TEST_F(HubCacheTest, GgufIsFoundBySelector) {
  Put("c1", "m-Q4_K_M.gguf");
  EXPECT_EQ(Find("")->model.path, cache_.SnapshotFile("c1", "m-Q4_K_M.gguf"));
  EXPECT_EQ(Find("Q4_K_M")->model.kind, ModelKind::kGgufFile);
  EXPECT_FALSE(Find("Q8_0").has_value());
}

TEST_F(HubCacheTest, RefThatIsAPathIsIgnored) {
  PutModel("c1");
  ASSERT_TRUE(cache_.WriteMainRef("../../../elsewhere").ok());
  EXPECT_EQ(Find("")->model.path, cache_.SnapshotFolder("c1"));
}

TEST_F(HubCacheTest, WhatCannotBeLookedAtIsNotTakenForMissing) {
  PutModel("c1");
  PutModel("c2");
  ASSERT_TRUE(cache_.WriteMainRef("c1").ok());
  for (const std::string& file : {cache_.SnapshotFile("c1", "config.json"),
                                  folder_.path() + "/models--org--name/refs/main"}) {
    fs::remove(file);
    fs::create_symlink(fs::path(file).filename(), file);  // to itself
    EXPECT_THAT(std::string(cache_.Find("").status().message()), HasSubstr(file));
  }
}

TEST_F(HubCacheTest, UnwritableCacheSaysWhatToDo) {
  WriteWholeFile(folder_.path() + "/file", "");
  auto status = HubCache(folder_.path() + "/file", "org/name").Prepare();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("HF_HUB_CACHE"));
}

}  // namespace
}  // namespace weft
