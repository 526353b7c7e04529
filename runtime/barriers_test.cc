#include "runtime/barriers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <utility>
#include <vector>

namespace weft {
namespace {

using testing::ElementsAre;

OperandRef Reads(uint64_t offset, uint64_t bytes, Space space = Space::kArena) {
  return {space, offset, bytes, false};
}
OperandRef Writes(uint64_t offset, uint64_t bytes, Space space = Space::kArena) {
  return {space, offset, bytes, true};
}

std::vector<bool> Derive(std::vector<std::vector<OperandRef>> steps) {
  Program program;
  for (std::vector<OperandRef>& operands : steps) {
    program.steps.emplace_back().operands = std::move(operands);
  }
  return DeriveBarriers(program);
}

TEST(Barriers, ReadAfterWrite) {
  EXPECT_THAT(Derive({{Writes(0, 64)}, {Reads(0, 64), Writes(64, 64)}, {Reads(64, 64)}}),
              ElementsAre(false, true, true));
  EXPECT_THAT(Derive({{Writes(0, 64)}, {Reads(60, 64)}}), ElementsAre(false, true)) << "in part";
}

TEST(Barriers, NeighboursAndEmptyRangesDoNotMeet) {
  EXPECT_THAT(Derive({{Writes(0, 64)}, {Reads(64, 64)}, {Writes(128, 64)}, {Writes(32, 0)}}),
              ElementsAre(false, false, false, false));
}

TEST(Barriers, WriteAfterWriteAndWriteAfterRead) {
  EXPECT_THAT(Derive({{Writes(0, 64)}, {Writes(0, 4)}}), ElementsAre(false, true));
  EXPECT_THAT(Derive({{Reads(0, 64)}, {Writes(0, 4)}}), ElementsAre(false, true));
  EXPECT_THAT(Derive({{Reads(0, 64)}, {Reads(0, 64)}}), ElementsAre(false, false));
}

TEST(Barriers, SpacesAreApart) {
  EXPECT_THAT(Derive({{Writes(0, 64)}, {Reads(0, 64, Space::kKvCache)}}),
              ElementsAre(false, false));
  EXPECT_THAT(Derive({{Writes(0, 64, Space::kKvCache)}, {Reads(0, 64, Space::kKvCache)}}),
              ElementsAre(false, true));
}

TEST(Barriers, OneStandsForAllBefore) {
  // q, k and v of one layer: three matmuls side by side, one barrier, three readers side by side.
  EXPECT_THAT(Derive({{Reads(0, 64), Writes(64, 64)},
                      {Reads(0, 64), Writes(128, 64)},
                      {Reads(0, 64), Writes(192, 64)},
                      {Reads(64, 64), Writes(256, 64)},
                      {Reads(128, 64), Writes(320, 64)},
                      {Reads(192, 64), Writes(384, 64)}}),
              ElementsAre(false, false, false, true, false, false));
  // The second barrier is due to the step after the first, not to the first step.
  EXPECT_THAT(
      Derive({{Writes(0, 64)}, {Reads(0, 64), Writes(64, 64)}, {Reads(0, 64)}, {Reads(64, 64)}}),
      ElementsAre(false, true, false, true));
}

TEST(Barriers, InPlaceStepsNeedNoneWithinThemselves) {
  EXPECT_THAT(Derive({{Reads(0, 64), Writes(0, 64)}}), ElementsAre(false));
  EXPECT_THAT(Derive({{Reads(0, 64), Writes(0, 64)}, {Reads(0, 64), Writes(0, 64)}}),
              ElementsAre(false, true));
}

// Between two steps that conflict stands a barrier, and each barrier is there for one of the steps
// right behind the last.
TEST(Barriers, EnoughAndNoneTooMany) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    Program program;
    for (int i = 0; i < 20; ++i) {
      Step& step = program.steps.emplace_back();
      for (uint32_t k = 0; k < 1 + random() % 3; ++k) {
        step.operands.push_back({random() % 4 == 0 ? Space::kKvCache : Space::kArena, random() % 64,
                                 random() % 8, random() % 3 == 0});
      }
    }
    const auto conflict = [](const Step& a, const Step& b) {
      for (const OperandRef& x : a.operands) {
        for (const OperandRef& y : b.operands) {
          if (x.space != y.space || !(x.written || y.written)) continue;
          for (uint64_t byte = x.offset; byte < x.offset + x.bytes; ++byte) {
            if (byte >= y.offset && byte < y.offset + y.bytes) return true;
          }
        }
      }
      return false;
    };
    const std::vector<bool> barriers = DeriveBarriers(program);
    ASSERT_EQ(barriers.size(), program.steps.size());
    size_t last = 0;  // first step behind the last barrier
    for (size_t i = 0; i < barriers.size(); ++i) {
      bool needed = false;
      for (size_t before = last; before < i; ++before) {
        needed = needed || conflict(program.steps[before], program.steps[i]);
      }
      EXPECT_EQ(barriers[i], needed) << "step " << i;
      if (barriers[i]) last = i;
    }
  }
}

}  // namespace
}  // namespace weft
