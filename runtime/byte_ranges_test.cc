#include "runtime/byte_ranges.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace weft {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(ByteRanges, ByHand) {
  ByteRanges ranges;
  EXPECT_FALSE(ranges.Overlaps({0, UINT64_MAX}));
  EXPECT_THAT(ranges.Complement(10), ElementsAre(ByteRange{0, 10}));
  EXPECT_THAT(ranges.Complement(0), IsEmpty());
  ranges.Add({10, 20});
  ranges.Add({30, 40});
  ranges.Add({50, 50});
  EXPECT_FALSE(ranges.Overlaps({20, 30}));
  EXPECT_TRUE(ranges.Overlaps({19, 30}));
  EXPECT_TRUE(ranges.Overlaps({0, UINT64_MAX}));
  EXPECT_FALSE(ranges.Overlaps({15, 15}));
  EXPECT_THAT(ranges.Complement(35), ElementsAre(ByteRange{0, 10}, ByteRange{20, 30}));
  ranges.Add({20, 30});
  EXPECT_THAT(ranges.Ranges(), ElementsAre(ByteRange{10, 40}));
  EXPECT_THAT(ranges.Complement(50), ElementsAre(ByteRange{0, 10}, ByteRange{40, 50}));
  ranges.Clear();
  EXPECT_THAT(ranges.Ranges(), IsEmpty());
}

TEST(ByteRanges, AgreesWithASetOfBytes) {
  constexpr uint64_t kSize = 64;
  std::mt19937 random(1);
  const auto any = [&] {
    const uint64_t a = random() % (kSize + 1);
    const uint64_t b = random() % (kSize + 1);
    return ByteRange{std::min(a, b), std::max(a, b)};
  };
  for (int round = 0; round < 200; ++round) {
    ByteRanges ranges;
    std::vector<bool> bytes(kSize);
    for (int i = 0; i < 12; ++i) {
      const ByteRange added = any();
      ranges.Add(added);
      for (uint64_t b = added.begin; b < added.end; ++b) bytes[b] = true;
      const ByteRange asked = any();
      bool expected = false;
      for (uint64_t b = asked.begin; b < asked.end; ++b) expected = expected || bytes[b];
      EXPECT_EQ(ranges.Overlaps(asked), expected);
      std::vector<bool> rebuilt(kSize);
      for (const ByteRange& range : ranges.Ranges()) {
        for (uint64_t b = range.begin; b < range.end; ++b) rebuilt[b] = true;
      }
      EXPECT_EQ(rebuilt, bytes);
      for (const ByteRange& range : ranges.Complement(kSize)) {
        for (uint64_t b = range.begin; b < range.end; ++b) {
          EXPECT_FALSE(rebuilt[b]);
          rebuilt[b] = true;
        }
      }
      EXPECT_EQ(rebuilt, std::vector<bool>(kSize, true));
    }
  }
}

}  // namespace
}  // namespace weft
