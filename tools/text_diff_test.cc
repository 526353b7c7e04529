#include "tools/text_diff.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace weft::tools {
namespace {

// The textbook's table.
int LongestByTable(const std::vector<int>& a, const std::vector<int>& b) {
  std::vector<std::vector<int>> best(a.size() + 1, std::vector<int>(b.size() + 1, 0));
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      best[i][j] =
          a[i - 1] == b[j - 1] ? best[i - 1][j - 1] + 1 : std::max(best[i - 1][j], best[i][j - 1]);
    }
  }
  return best[a.size()][b.size()];
}

TEST(CommonSubsequenceTest, IsCommonInOrderAndLongest) {
  std::mt19937 random(7);
  for (int round = 0; round < 3000; ++round) {
    const auto sequence = [&] {
      std::vector<int> values(random() % 30);
      for (int& value : values) value = static_cast<int>(random() % (2 + round % 7));
      return values;
    };
    const std::vector<int> a = sequence();
    const std::vector<int> b = sequence();
    const auto pairs = CommonSubsequence(a, b);
    EXPECT_EQ(static_cast<int>(pairs.size()), LongestByTable(a, b));
    for (size_t i = 0; i < pairs.size(); ++i) {
      EXPECT_EQ(a[pairs[i].first], b[pairs[i].second]);
      if (i == 0) continue;
      EXPECT_LT(pairs[i - 1].first, pairs[i].first);
      EXPECT_LT(pairs[i - 1].second, pairs[i].second);
    }
  }
}

TEST(UnifiedDiffTest, IsEmptyForEqualTexts) {
  EXPECT_EQ(UnifiedDiff("x", "one\n", "y", "one\n"), "");
  EXPECT_EQ(UnifiedDiff("x", "", "y", ""), "");
}

// What `diff -u` of GNU prints for these files, but for the header.
TEST(UnifiedDiffTest, IsThatOfGnuDiff) {
  std::string a;
  for (int i = 1; i <= 20; ++i) a += std::to_string(i) + "\n";
  const std::string b =
      "zero\n1\n2\n3\n4\n5\n6\n7\nACHT\n9\n10\n11\n12\n13\n14\n17\n18\n19\n20\n21\n";
  EXPECT_EQ(
      UnifiedDiff("x", a, "y", b),
      "--- a/x\n+++ b/y\n"
      "@@ -1,3 +1,4 @@\n+zero\n 1\n 2\n 3\n"
      "@@ -5,16 +6,15 @@\n 5\n 6\n 7\n-8\n+ACHT\n 9\n 10\n 11\n 12\n 13\n 14\n-15\n-16\n 17\n "
      "18\n 19\n 20\n+21\n");
}

TEST(UnifiedDiffTest, EmptyTextsAndMissingNewlines) {
  EXPECT_EQ(UnifiedDiff("x", "", "y", "one\n"), "--- a/x\n+++ b/y\n@@ -0,0 +1 @@\n+one\n");
  EXPECT_EQ(UnifiedDiff("x", "one\n", "y", ""), "--- a/x\n+++ b/y\n@@ -1 +0,0 @@\n-one\n");
  EXPECT_EQ(UnifiedDiff("x", "one\ntwo\n", "y", "one\ntwo"),
            "--- a/x\n+++ b/y\n@@ -1,2 +1,2 @@\n one\n-two\n+two\n\\ No newline at end of file\n");
}

}  // namespace
}  // namespace weft::tools
