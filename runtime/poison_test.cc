#include "runtime/poison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>

#include "runtime/executor.h"
#include "runtime/test_kernels.h"

namespace weft {
namespace {

using testing::ElementsAreArray;
using testing::HasSubstr;

std::unique_ptr<Executor> MakePoisoned(const TestModel& model) {
  ExecutorOptions options;
  options.threads = 2;
  options.debug_poison = true;
  auto executor = Executor::Create(model.program, model.kernels, nullptr, options);
  EXPECT_TRUE(executor.ok()) << executor.status();
  return executor.ok() ? *std::move(executor) : nullptr;
}

std::string RunError(const TestModel& model) {
  const auto executor = MakePoisoned(model);
  const absl::Status status = executor->Run({1, 2}, 0, 1);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
  return std::string(status.message());
}

TEST(Poison, HonestKernelsPass) {
  const auto executor = MakePoisoned(CountingModel());
  ASSERT_NE(executor, nullptr);
  ASSERT_TRUE(executor->Run({1, 2, 1}, 0, 2).ok());
  ASSERT_TRUE(executor->Run({1, 6}, 3, 2).ok()) << "the cache is kept";
  EXPECT_THAT(executor->logits(0), ElementsAreArray(CountingLogits({1, 2, 1, 1})));
  EXPECT_THAT(executor->logits(1), ElementsAreArray(CountingLogits({1, 2, 1, 1, 6})));
  EXPECT_EQ(executor->argmax(1), 1);
}

TEST(Poison, InPlaceStepsPass) {
  TestModel model;
  const OperandRef value = model.Arena(4);
  const KernelFn zero = [](const KernelContext*, void* const* operands, int64_t, int64_t) {
    *static_cast<int32_t*>(operands[0]) = 20;
  };
  const KernelFn add = [](const KernelContext*, void* const* operands, int64_t, int64_t) {
    ++*static_cast<int32_t*>(operands[0]);
  };
  const KernelFn copy = [](const KernelContext*, void* const* operands, int64_t, int64_t) {
    std::memcpy(operands[1], operands[0], 4);
  };
  model.Add("zero", zero, Extent::kOne, 1, 1, {TestModel::Writes(value)});
  model.Add("add", add, Extent::kOne, 1, 1, {TestModel::Reads(value), TestModel::Writes(value)});
  model.Add("copy", copy, Extent::kOne, 1, 1, {value, model.program.argmax});
  const auto executor = MakePoisoned(model);
  ASSERT_NE(executor, nullptr);
  ASSERT_TRUE(executor->Run({0}, 0, 1).ok());
  EXPECT_EQ(executor->argmax(0), 21) << "executed twice, applied once";
}

TEST(Poison, WritesBeyondWhatIsDeclared) {
  TestModel model = CountingModel();
  const KernelFn spill = [](const KernelContext*, void* const* operands, int64_t, int64_t) {
    static_cast<uint8_t*>(operands[0])[64] = 1;
  };
  const OperandRef operand = model.Arena(64);
  (void)model.Arena(64);
  model.Add("spill", spill, Extent::kOne, 1, 1, {TestModel::Writes(operand)});
  EXPECT_THAT(RunError(model), HasSubstr("step 'spill' (spill_kernel) wrote byte " +
                                         std::to_string(operand.offset + 64) + " of the arena"));
}

TEST(Poison, WritesToWhatItOnlyReads) {
  TestModel model = CountingModel();
  const KernelFn scribble = [](const KernelContext*, void* const* operands, int64_t, int64_t) {
    static_cast<int32_t*>(operands[0])[1] = 77;
  };
  const OperandRef kv = model.Kv(64);
  model.Add("scribble", scribble, Extent::kOne, 1, 1, {kv});
  EXPECT_THAT(RunError(model), HasSubstr("step 'scribble' (scribble_kernel) wrote byte " +
                                         std::to_string(kv.offset + 4) + " of the KV cache"));
}

TEST(Poison, ReadsWhatItDoesNotDeclare) {
  for (const Space space : {Space::kArena, Space::kKvCache}) {
    TestModel model = CountingModel();
    const OperandRef in = space == Space::kArena ? model.Arena(64) : model.Kv(64);
    (void)(space == Space::kArena ? model.Arena(64) : model.Kv(64));
    const OperandRef out = model.Arena(64);
    const KernelFn peek = [](const KernelContext*, void* const* operands, int64_t, int64_t) {
      static_cast<float*>(operands[1])[3] = static_cast<const float*>(operands[0])[16];
    };
    model.Add("peek", peek, Extent::kOne, 1, 1, {in, TestModel::Writes(out)});
    EXPECT_THAT(RunError(model), HasSubstr("step 'peek' (peek_kernel) does not reproduce byte " +
                                           std::to_string(out.offset + 12) + " of the arena"));
  }
}

TEST(Poison, UnitsThatDependOnTheirOrder) {
  TestModel model = CountingModel();
  const KernelFn last = [](const KernelContext*, void* const* operands, int64_t begin,
                           int64_t end) {
    for (int64_t i = begin; i < end; ++i) *static_cast<int64_t*>(operands[0]) = i;
  };
  model.Add("last", last, Extent::kTokens, 1, 1, {TestModel::Writes(model.Arena(8))});
  EXPECT_THAT(RunError(model), HasSubstr("or its units depend on their order"));
}

// A step of two units a row over rows of two floats, 64 bytes apart, whose second unit does
// something to the row above.
std::string RowError(KernelFn kernel) {
  TestModel model = CountingModel();
  OperandRef in = model.Arena(4 * 64);
  OperandRef out = model.Arena(4 * 64);
  in.stride = 64;
  out.stride = 64;
  const KernelFn fill = [](const KernelContext*, void* const* operands, int64_t begin,
                           int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      static_cast<float*>(operands[0])[i / 2 * 16 + i % 2] = static_cast<float>(i);
    }
  };
  model.Add("fill", fill, Extent::kTokens, 2, 1, {TestModel::Writes(in)});
  model.Add("rows", kernel, Extent::kTokens, 2, 1, {in, TestModel::Writes(out)});
  const auto executor = MakePoisoned(model);
  return std::string(executor->Run({1, 2, 3}, 0, 1).message());
}

TEST(Poison, RowsThatKeepToThemselvesPass) {
  EXPECT_EQ(RowError([](const KernelContext*, void* const* operands, int64_t begin, int64_t end) {
              for (int64_t i = begin; i < end; ++i) {
                static_cast<float*>(operands[1])[i / 2 * 16 + i % 2] =
                    static_cast<const float*>(operands[0])[i / 2 * 16 + 1 - i % 2] + 1.0f;
              }
            }),
            "");
}

TEST(Poison, ReadsOfAnotherRow) {
  EXPECT_THAT(RowError([](const KernelContext*, void* const* operands, int64_t begin, int64_t end) {
                for (int64_t i = begin; i < end; ++i) {
                  const int64_t above = i == 5 ? 1 : i / 2;
                  static_cast<float*>(operands[1])[i / 2 * 16 + i % 2] =
                      static_cast<const float*>(operands[0])[above * 16];
                }
              }),
              HasSubstr("step 'rows' (rows_kernel) does not reproduce byte"));
}

TEST(Poison, WritesToAnotherRow) {
  EXPECT_THAT(RowError([](const KernelContext*, void* const* operands, int64_t begin, int64_t end) {
                for (int64_t i = begin; i < end; ++i) {
                  auto* out = static_cast<float*>(operands[1]);
                  out[i / 2 * 16 + i % 2] = 1.0f;
                  if (i == 5) out[16 + 4] = 2.0f;
                }
              }),
              HasSubstr("in another row than its unit's"));
}

// Reading what an earlier run left behind is a NaN, although the step may read those bytes.
TEST(Poison, NothingIsLeftFromEarlierRuns) {
  TestModel model;
  const OperandRef value = model.Arena(4);
  const KernelFn keep = [](const KernelContext* context, void* const* operands, int64_t, int64_t) {
    if (context->position == 0) *static_cast<float*>(operands[0]) = 1.0f;
  };
  const KernelFn copy = [](const KernelContext*, void* const* operands, int64_t, int64_t) {
    std::memcpy(operands[1], operands[0], 4);
  };
  model.Add("keep", keep, Extent::kOne, 1, 1, {TestModel::Writes(value)});
  model.Add("copy", copy, Extent::kOne, 1, 1, {value, model.program.logits});
  const auto executor = MakePoisoned(model);
  ASSERT_NE(executor, nullptr);
  ASSERT_TRUE(executor->Run({0}, 0, 1).ok());
  EXPECT_EQ(executor->logits(0)[0], 1.0f);
  ASSERT_TRUE(executor->Run({0}, 1, 1).ok());
  EXPECT_TRUE(std::isnan(executor->logits(0)[0]));
}

TEST(Poison, WhatWasNotDeclaredIsRestoredAfterAnError) {
  alignas(64) std::array<uint8_t, 256> arena = {};
  for (size_t i = 0; i < arena.size(); ++i) arena[i] = static_cast<uint8_t>(i);
  Program program;
  program.arena_bytes = arena.size();
  auto checker = PoisonChecker::Create(program, arena.data(), nullptr);
  ASSERT_TRUE(checker.ok());
  Step step;
  step.operands = {{Space::kArena, 64, 64, true}};
  const auto spoil = [&](int64_t, int64_t) { arena.fill(9); };
  EXPECT_FALSE(checker->RunStep(step, 1, spoil).ok());
  for (size_t i = 0; i < arena.size(); ++i) {
    EXPECT_EQ(arena[i], i >= 64 && i < 128 ? 9 : static_cast<uint8_t>(i)) << i;
  }
}

}  // namespace
}  // namespace weft
