#include "runtime/base/cache_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

namespace weft {
namespace {

namespace fs = std::filesystem;

GetEnv Environment(const std::map<std::string, std::string>& variables) {
  return [variables](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
}

TEST(CacheFolder, FollowsXdgThenHome) {
  EXPECT_EQ(WeftCacheFolder(Environment({{"HOME", "/home/u"}})), "/home/u/.cache/weft");
  EXPECT_EQ(WeftCacheFolder(Environment({{"HOME", "/home/u"}, {"XDG_CACHE_HOME", "/x"}})),
            "/x/weft");
  EXPECT_EQ(WeftCacheFolder(Environment({{"XDG_CACHE_HOME", "/x"}})), "/x/weft");
  // Set but empty is not set.
  EXPECT_EQ(UserCacheFolder(Environment({{"HOME", "/home/u"}, {"XDG_CACHE_HOME", ""}})),
            "/home/u/.cache");
  EXPECT_EQ(UserCacheFolder(Environment({})), "");
  EXPECT_EQ(WeftCacheFolder(Environment({{"HOME", ""}})), "");
}

TEST(CacheFolder, ExpandsHome) {
  const GetEnv home = Environment({{"HOME", "/home/u"}, {"XDG_CACHE_HOME", "~/c"}});
  EXPECT_EQ(UserCacheFolder(home), "/home/u/c");
  EXPECT_EQ(ExpandHome("~", home), "/home/u");
  EXPECT_EQ(ExpandHome("~other/c", home), "~other/c");
  EXPECT_EQ(ExpandHome("/a/~", home), "/a/~");
  EXPECT_EQ(ExpandHome("~/c", Environment({})), "~/c");
}

TEST(CacheFolder, PrivateFolders) {
  const std::string base = testing::TempDir() + "weft-private-folder";
  fs::remove_all(base);
  const std::string folder = base + "/a/b";
  EXPECT_TRUE(absl::IsNotFound(CheckPrivateFolder(folder)));
  ASSERT_TRUE(MakePrivateFolder(folder).ok());
  EXPECT_EQ(fs::status(folder).permissions(), fs::perms::owner_all);
  EXPECT_TRUE(MakePrivateFolder(folder).ok());
  ASSERT_EQ(chmod(folder.c_str(), 0777), 0);
  EXPECT_THAT(std::string(MakePrivateFolder(folder).message()), testing::HasSubstr("chmod 700"));
  std::ofstream(base + "/file") << "x";
  EXPECT_FALSE(MakePrivateFolder(base + "/file").ok());
  EXPECT_FALSE(MakePrivateFolder(base + "/file/folder").ok());
  fs::remove_all(base);
}

TEST(CacheFolder, PrivateFilesAreTheUsersAlone) {
  const std::string folder = testing::TempDir() + "weft-private-file";
  fs::remove_all(folder);
  const std::string file = folder + "/file";
  EXPECT_TRUE(absl::IsNotFound(ReadPrivateFile(file, 10).status()));
  ASSERT_TRUE(MakePrivateFolder(folder).ok());
  EXPECT_TRUE(absl::IsNotFound(ReadPrivateFile(file, 10).status()));
  std::ofstream(file) << "text";
  ASSERT_EQ(chmod(file.c_str(), 0644), 0);
  EXPECT_EQ(*ReadPrivateFile(file, 10), "text");
  ASSERT_EQ(chmod(file.c_str(), 0664), 0);
  EXPECT_TRUE(absl::IsPermissionDenied(ReadPrivateFile(file, 10).status()));
  ASSERT_EQ(chmod(file.c_str(), 0644), 0);
  ASSERT_EQ(chmod(folder.c_str(), 0770), 0);
  EXPECT_TRUE(absl::IsPermissionDenied(ReadPrivateFile(file, 10).status()));
  fs::remove_all(folder);
}

TEST(CacheFolder, ParentsOfPrivateFoldersAreNotOpenEither) {
  const std::string base = testing::TempDir() + "weft-private-parents";
  fs::remove_all(base);
  const mode_t mask = umask(0);
  EXPECT_TRUE(MakePrivateFolder(base + "/a/b/").ok());
  umask(mask);
  constexpr fs::perms kOthers = fs::perms::group_write | fs::perms::others_write;
  for (const char* made : {"", "/a", "/a/b"})
    EXPECT_EQ(fs::status(base + made).permissions() & kOthers, fs::perms::none) << made;
  fs::remove_all(base);
}

}  // namespace
}  // namespace weft
