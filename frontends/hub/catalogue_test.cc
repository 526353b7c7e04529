#include "frontends/hub/catalogue.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "frontends/hub/file_digest.h"
#include "frontends/hub/model_name.h"

namespace weft {
namespace {

TEST(CatalogueTest, NamesAreUniqueAndNoHubIds) {
  std::set<std::string> names;
  for (const CatalogueEntry& entry : Catalogue()) {
    EXPECT_TRUE(names.insert(std::string(entry.name)).second) << entry.name;
    EXPECT_FALSE(ParseHubName(entry.name).ok()) << entry.name;
    EXPECT_EQ(FindInCatalogue(entry.name), &entry);
  }
  EXPECT_EQ(FindInCatalogue("no-such-model"), nullptr);
}

TEST(CatalogueTest, EverySourceIsWellFormed) {
  for (const CatalogueEntry& entry : Catalogue()) {
    EXPECT_TRUE(!entry.hub.empty() || entry.pypi != nullptr) << entry.name;
    if (!entry.hub.empty()) {
      EXPECT_TRUE(ParseHubName(entry.hub).ok()) << entry.hub;
    }
    if (entry.pypi == nullptr) continue;
    EXPECT_EQ(DigestKindOf(entry.pypi->sha256), DigestKind::kSha256) << entry.name;
    EXPECT_TRUE(IsSafeFileName(entry.pypi->folder)) << entry.name;
    EXPECT_TRUE(IsSafeFileName(entry.pypi->file)) << entry.name;
    EXPECT_FALSE(entry.pypi->parts.empty()) << entry.name;
    for (const PypiPart& part : entry.pypi->parts) {
      EXPECT_TRUE(IsSafeFileName(part.member)) << part.member;
    }
  }
}

// What tests with reference results rely on: these names never give another file.
TEST(CatalogueTest, ExactFilesHaveOneSource) {
  for (const char* name : {"smollm2-135m-instruct-q4_1", "gemma-3-270m-q4_k_m"}) {
    const CatalogueEntry* entry = FindInCatalogue(name);
    ASSERT_NE(entry, nullptr);
    EXPECT_TRUE(entry->hub.empty());
    EXPECT_EQ(entry->pypi->folder, name);
  }
}

}  // namespace
}  // namespace weft
