#include "runtime/base/temporary_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <set>
#include <string>

namespace weft {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(TemporaryName, OthersArePassedOver) {
  std::set<std::string> tried;
  const auto name = MakeTemporary("link", "/a/target", [&](const std::string& name) {
    tried.insert(name);
    return tried.size() < 5 ? EEXIST : 0;
  });
  ASSERT_TRUE(name.ok()) << name.status();
  EXPECT_EQ(tried.size(), 5);
  EXPECT_TRUE(tried.contains(*name));
  EXPECT_THAT(*name, StartsWith("/a/target.tmp-"));
}

TEST(TemporaryName, ErrorsNameTheFile) {
  for (const int error : {EEXIST, ENOSPC}) {
    const auto name = MakeTemporary("link", "target", [&](const std::string&) { return error; });
    EXPECT_THAT(std::string(name.status().message()), HasSubstr("link: cannot create"));
  }
}

}  // namespace
}  // namespace weft
