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

// Before which steps workers meet.
std::vector<bool> Barriers(const Program& program) {
  std::vector<bool> barriers(program.steps.size());
  for (const StepGroup& group : DeriveGroups(program, /*one_row=*/false))
    barriers[group.begin] = group.barrier;
  return barriers;
}

std::vector<bool> Derive(std::vector<std::vector<OperandRef>> steps) {
  Program program;
  for (std::vector<OperandRef>& operands : steps) {
    program.steps.emplace_back().operands = std::move(operands);
  }
  return Barriers(program);
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
    const std::vector<bool> barriers = Barriers(program);
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

// Steps over rows of 64 bytes of T or L, in a program of 4 and 4.
OperandRef Rows(OperandRef operand, uint64_t stride = 64) {
  operand.stride = stride;
  return operand;
}

Step RowStep(std::vector<OperandRef> operands, Extent extent = Extent::kTokens) {
  Step step;
  step.extent = extent;
  step.operands = std::move(operands);
  return step;
}

std::vector<StepGroup> Groups(std::vector<Step> steps, bool one_row = false) {
  Program program;
  program.steps = std::move(steps);
  return DeriveGroups(program, one_row);
}

constexpr auto kShared = StepGroup::Kind::kShared;
constexpr auto kRows = StepGroup::Kind::kRows;
constexpr auto kSerial = StepGroup::Kind::kSerial;

TEST(Groups, StepsOverTheSameRowsNeedNoBarrier) {
  // matmul → norm → quantize → matmul
  const std::vector<Step> steps = {
      RowStep({Reads(4096, 64), Writes(0, 256)}, Extent::kOne),
      RowStep({Rows(Reads(0, 256)), Rows(Writes(256, 256))}),
      RowStep({Rows(Reads(256, 256)), Rows(Writes(512, 256))}),
      RowStep({Reads(512, 256), Writes(1024, 256)}, Extent::kOne),
  };
  EXPECT_THAT(Groups(steps),
              ElementsAre(StepGroup{0, 1, kShared, false}, StepGroup{1, 3, kRows, true},
                          StepGroup{3, 4, kShared, true}));
  EXPECT_THAT(Groups(steps, /*one_row=*/true),
              ElementsAre(StepGroup{0, 1, kShared, false}, StepGroup{1, 3, kSerial, true},
                          StepGroup{3, 4, kShared, false}));
  EXPECT_EQ(CountBarriers(Groups(steps)), 2);
  EXPECT_EQ(CountBarriers(Groups(steps, /*one_row=*/true)), 1);
}

TEST(Groups, ColumnsOfRowsAndInPlaceSteps) {
  // Views of two halves of the same rows, and a step that writes what it reads.
  EXPECT_THAT(Groups({RowStep({Rows(Writes(0, 256))}),
                      RowStep({Rows(Reads(0, 3 * 64 + 32)), Rows(Writes(256, 256))}),
                      RowStep({Rows(Reads(32, 3 * 64 + 32)), Rows(Writes(512, 256))}),
                      RowStep({Rows(Reads(512, 256)), Rows(Writes(512, 256))})}),
              ElementsAre(StepGroup{0, 4, kRows, false}));
}

TEST(Groups, OtherRowsOtherBytesNeedBarriers) {
  const Step first = RowStep({Rows(Writes(0, 256))});
  const auto two_groups = ElementsAre(StepGroup{0, 1, kRows, false}, StepGroup{1, 2, kRows, true});
  EXPECT_THAT(Groups({first, RowStep({Rows(Reads(0, 512), 128)})}), two_groups) << "stride";
  EXPECT_THAT(Groups({first, RowStep({Rows(Reads(64, 256))})}), two_groups) << "shifted by a row";
  EXPECT_THAT(Groups({first, RowStep({Rows(Reads(32, 256))})}), two_groups) << "reaches the next";
  EXPECT_THAT(Groups({first, RowStep({Rows(Reads(0, 256))}, Extent::kLogitRows)}), two_groups);
  EXPECT_THAT(Groups({first, RowStep({Reads(0, 256), Rows(Writes(512, 256))})}), two_groups)
      << "reads all rows";
  EXPECT_THAT(Groups({RowStep({Rows(Reads(0, 256)), Rows(Writes(512, 256))}),
                      RowStep({Rows(Reads(512, 256)), Rows(Writes(0, 512), 128)})}),
              two_groups)
      << "overwrites what other rows still need";
}

TEST(Groups, OneBarrierServesTheWholeGroup) {
  // The second step of the rows is the one that needs the matmul.
  EXPECT_THAT(Groups({RowStep({Writes(0, 256)}, Extent::kOne), RowStep({Rows(Writes(512, 256))}),
                      RowStep({Rows(Reads(0, 256)), Rows(Writes(512, 256))})}),
              ElementsAre(StepGroup{0, 1, kShared, false}, StepGroup{1, 3, kRows, true}));
}

TEST(Groups, AreOfBoundedLength) {
  // Each of its steps is compared with all before it.
  const Step step = RowStep({Rows(Reads(0, 256)), Rows(Writes(256, 256))});
  EXPECT_THAT(Groups(std::vector<Step>(65, step)),
              ElementsAre(StepGroup{0, 64, kRows, false}, StepGroup{64, 65, kRows, true}));
}

TEST(Groups, OneRowRunsWhateverWorksByRowsInOrder) {
  EXPECT_THAT(Groups({RowStep({Rows(Writes(0, 256))}),
                      RowStep({Reads(0, 256), Rows(Writes(512, 256))}, Extent::kLogitRows),
                      RowStep({Reads(512, 256), Writes(1024, 64)}, Extent::kOne),
                      RowStep({Reads(2048, 64)}, Extent::kOne), RowStep({Rows(Reads(1024, 256))})},
                     /*one_row=*/true),
              ElementsAre(StepGroup{0, 2, kSerial, true}, StepGroup{2, 3, kShared, false},
                          StepGroup{3, 4, kShared, false}, StepGroup{4, 5, kSerial, true}));
}

}  // namespace
}  // namespace weft
