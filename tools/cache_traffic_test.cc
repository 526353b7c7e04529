#include "tools/cache_traffic.h"

#include <gtest/gtest.h>

namespace weft::tools {
namespace {

TEST(CacheTrafficTest, EachPositionThatAnyTokenSeesIsReadOnce) {
  const CachedLayer all{.bytes_per_position = 100};
  EXPECT_EQ(all.BytesRead(0, 1), 100);
  EXPECT_EQ(all.BytesRead(41, 1), 4200) << "a token sees itself";
  EXPECT_EQ(all.BytesRead(40, 8), 4800) << "eight share what they see";
}

TEST(CacheTrafficTest, AWindowBoundsWhatIsRead) {
  const CachedLayer window{.bytes_per_position = 10, .window = 4};
  EXPECT_EQ(window.BytesRead(0, 1), 10);
  EXPECT_EQ(window.BytesRead(3, 1), 40);
  EXPECT_EQ(window.BytesRead(100, 1), 40);
  EXPECT_EQ(window.BytesRead(100, 3), 60) << "97 to 102";
}

TEST(CacheTrafficTest, SymbolsOfATypeCountAsOne) {
  const ir::Type type{DataType::kQ8_0, {ir::Symbol::kCached, 64}};
  EXPECT_EQ(BytesOf(type), 68);
}

}  // namespace
}  // namespace weft::tools
