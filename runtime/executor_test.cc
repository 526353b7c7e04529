#include "runtime/executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <fstream>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "runtime/base/cpu.h"
#include "runtime/float_environment.h"
#include "runtime/test_kernels.h"

namespace weft {
namespace {

using testing::ElementsAreArray;
using testing::HasSubstr;

ExecutorOptions Threads(int threads) {
  ExecutorOptions options;
  options.threads = threads;
  return options;
}

std::unique_ptr<Executor> Make(const TestModel& model, const ExecutorOptions& options) {
  auto executor = Executor::Create(model.program, model.kernels, nullptr, options);
  EXPECT_TRUE(executor.ok()) << executor.status();
  return executor.ok() ? *std::move(executor) : nullptr;
}

std::vector<float> Row(const Executor& executor, int64_t row) {
  const absl::Span<const float> logits = executor.logits(row);
  return {logits.begin(), logits.end()};
}

class ExecutorTest : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Workers, ExecutorTest, testing::Values(0, 1, 2, 4, 8, 64));

TEST_P(ExecutorTest, CountsWhatItWasGiven) {
  const TestModel model = CountingModel();
  const auto executor = Make(model, Threads(GetParam()));
  ASSERT_NE(executor, nullptr);
  EXPECT_EQ(executor->threads(), std::max(GetParam(), 1));
  const std::vector<int32_t> ids = {3, 1, 3, 7, 0, 3, 2};
  ASSERT_TRUE(executor->Run(absl::MakeConstSpan(ids).subspan(0, 4), 0, 2).ok());
  EXPECT_THAT(Row(*executor, 0), ElementsAreArray(CountingLogits({3, 1, 3})));
  EXPECT_THAT(Row(*executor, 1), ElementsAreArray(CountingLogits({3, 1, 3, 7})));
  EXPECT_EQ(executor->argmax(0), 3);
  ASSERT_TRUE(executor->Run(absl::MakeConstSpan(ids).subspan(4, 3), 4, 1).ok());
  EXPECT_THAT(Row(*executor, 0), ElementsAreArray(CountingLogits(ids)));
  EXPECT_EQ(executor->argmax(0), 3);
}

// A chain of small steps, each of which adds one to what the step before wrote, over many units.
TEST_P(ExecutorTest, ChainOfSmallSteps) {
  constexpr int kSteps = 60;
  constexpr int64_t kUnits = 40;
  TestModel model;
  const KernelFn first = [](const KernelContext* context, void* const* operands, int64_t begin,
                            int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      static_cast<int64_t*>(operands[0])[i] = context->position;
    }
  };
  // Reads another unit's result: right only behind a barrier.
  const KernelFn next = [](const KernelContext*, void* const* operands, int64_t begin,
                           int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      static_cast<int64_t*>(operands[1])[i] =
          static_cast<const int64_t*>(operands[0])[kUnits - 1 - i] + i;
    }
  };
  const KernelFn sum = [](const KernelContext*, void* const* operands, int64_t, int64_t) {
    const auto* values = static_cast<const int64_t*>(operands[0]);
    *static_cast<int32_t*>(operands[1]) =
        static_cast<int32_t>(std::accumulate(values, values + kUnits, int64_t{0}));
  };
  const std::array<OperandRef, 2> buffers = {model.Arena(kUnits * 8), model.Arena(kUnits * 8)};
  model.Add("first", first, Extent::kOne, kUnits, 3, {TestModel::Writes(buffers[0])});
  for (size_t i = 0; i < kSteps; ++i) {
    model.Add("next", next, Extent::kOne, kUnits, 1 + static_cast<int64_t>(i % 7),
              {buffers[i % 2], TestModel::Writes(buffers[(i + 1) % 2])});
  }
  model.Add("sum", sum, Extent::kOne, 1, 1, {buffers[kSteps % 2], model.program.argmax});
  const auto executor = Make(model, Threads(GetParam()));
  ASSERT_NE(executor, nullptr);
  EXPECT_EQ(CountBarriers(executor->groups(1)), kSteps + 1);
  for (const int64_t position : {0, 5, 9}) {
    ASSERT_TRUE(executor->Run({1}, position, 1).ok());
    EXPECT_EQ(executor->argmax(0), kUnits * position + kSteps * (kUnits - 1) * kUnits / 2);
  }
}

// A step that takes its rows three at a time has its units once for each three begun.
TEST_P(ExecutorTest, UnitsOfSeveralRows) {
  constexpr int64_t kUnits = 2;
  TestModel model(/*max_tokens=*/8);
  const KernelFn note = [](const KernelContext*, void* const* operands, int64_t begin,
                           int64_t end) {
    for (int64_t i = begin; i < end; ++i) static_cast<int32_t*>(operands[0])[i] = 1;
  };
  const KernelFn sum = [](const KernelContext*, void* const* operands, int64_t, int64_t) {
    auto* notes = static_cast<int32_t*>(operands[0]);
    *static_cast<int32_t*>(operands[1]) = std::accumulate(notes, notes + 16, 0);
    std::fill(notes, notes + 16, 0);
  };
  const OperandRef notes = model.Arena(16 * sizeof(int32_t));
  model.Add("note", note, Extent::kTokens, kUnits, 1, {TestModel::Writes(notes)});
  model.program.steps.back().unit_rows = 3;
  model.Add("sum", sum, Extent::kOne, 1, 1, {TestModel::Writes(notes), model.program.argmax});
  const auto executor = Make(model, Threads(GetParam()));
  ASSERT_NE(executor, nullptr);
  for (const int tokens : {1, 2, 3, 4, 6, 7, 8}) {
    ASSERT_TRUE(executor->Run(std::vector<int32_t>(static_cast<size_t>(tokens), 1), 0, 1).ok());
    EXPECT_EQ(executor->argmax(0), kUnits * ((tokens + 2) / 3)) << tokens << " tokens";
  }
}

// Mixes every byte a unit may read into its own slice of what it writes.
struct Mixer {
  static constexpr int64_t kUnits = 8;
  static constexpr size_t kWords = 16;  // of each operand
  static uint32_t Hash(uint32_t a, uint32_t b) { return (a ^ (b + 0x9e3779b9u)) * 0x85ebca6bu; }

  // Reads two operands in whole, writes a slice of the third, whose old value it uses.
  static void Run(const KernelContext* context, void* const* operands, int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; ++unit) {
      auto hash = static_cast<uint32_t>(unit + context->position);
      for (int k = 0; k < 2; ++k) {
        const auto* words = static_cast<const uint32_t*>(operands[k]);
        for (size_t i = 0; i < kWords; ++i) hash = Hash(hash, words[i]);
      }
      auto* out = static_cast<uint32_t*>(operands[2]) + static_cast<size_t>(unit) * 2;
      out[0] = Hash(out[0], hash);
      out[1] = Hash(out[1], ~hash);
    }
  }
};

// Random programs: whatever depends on whatever, every number of workers gives what running the
// kernels one after another gives.
TEST_P(ExecutorTest, RandomProgramsEqualSequentialExecution) {
  constexpr uint64_t kBytes = Mixer::kWords * sizeof(uint32_t);
  constexpr uint64_t kPool = 12 * kBytes;
  std::mt19937 random(11);
  const int rounds = GetParam() > 8 ? 5 : 20;
  for (int round = 0; round < rounds; ++round) {
    TestModel model;
    const OperandRef arena = model.Arena(kPool);
    const OperandRef kv = model.Kv(kPool);
    const auto any = [&](bool written) {
      OperandRef operand = random() % 3 == 0 ? kv : arena;
      operand.offset += random() % (12 * kBytes / 8 - kBytes / 8 + 1) * 8;  // they overlap in part
      operand.bytes = kBytes;
      operand.written = written;
      return operand;
    };
    for (int i = 0; i < 30; ++i) {
      const OperandRef out = any(true);
      // Units may read only what no unit of the step writes.
      const auto apart = [&] {
        for (;;) {
          const OperandRef in = any(false);
          if (in.space != out.space || in.offset + kBytes <= out.offset ||
              out.offset + kBytes <= in.offset) {
            return in;
          }
        }
      };
      const OperandRef a = apart();
      const OperandRef b = apart();
      model.Add("mix", Mixer::Run, Extent::kOne, Mixer::kUnits, 1 + random() % 4, {a, b, out});
    }
    // The last step folds both pools into the argmax port, where it can be seen.
    const KernelFn fold = [](const KernelContext*, void* const* operands, int64_t, int64_t) {
      uint32_t hash = 0;
      for (int k = 0; k < 2; ++k) {
        const auto* words = static_cast<const uint32_t*>(operands[k]);
        for (size_t i = 0; i < kPool / sizeof(uint32_t); ++i) hash = Mixer::Hash(hash, words[i]);
      }
      *static_cast<uint32_t*>(operands[2]) = hash;
    };
    model.Add("fold", fold, Extent::kOne, 1, 1, {arena, kv, model.program.argmax});

    // Sequential execution, with nothing of the executor.
    std::vector<uint64_t> arena_words(model.program.arena_bytes / 8);
    std::vector<uint64_t> kv_words(model.program.kv_bytes / 8);
    const auto executor = Make(model, Threads(GetParam()));
    ASSERT_NE(executor, nullptr);
    for (int64_t position = 0; position < 3; ++position) {
      const KernelContext context = {1, 1, position};
      for (size_t i = 0; i < model.kernels.size(); ++i) {
        std::vector<void*> operands;
        for (const OperandRef& operand : model.program.steps[i].operands) {
          auto& words = operand.space == Space::kArena ? arena_words : kv_words;
          operands.push_back(reinterpret_cast<uint8_t*>(words.data()) + operand.offset);
        }
        model.kernels[i](&context, operands.data(), 0, model.program.steps[i].units);
      }
      ASSERT_TRUE(executor->Run({0}, position, 1).ok());
      const auto expected =
          static_cast<int32_t>(arena_words[model.program.argmax.offset / 8] & 0xffffffffu);
      ASSERT_EQ(executor->argmax(0), expected) << "program " << round << " run " << position;
    }
  }
}

// Rows of kRowWords words, some steps on them one after another, some of which mix all rows: any
// number of workers and rows gives what running step after step gives.
TEST_P(ExecutorTest, RandomProgramsOverRowsEqualSequentialExecution) {
  constexpr int64_t kMaxRows = 40;
  constexpr uint64_t kStride = 64;
  constexpr int64_t kUnits = 4;  // a row, of two words each
  constexpr int kBuffers = 6;
  // (a, b) → out, row by row: each unit mixes the whole rows of a and b into its two words.
  const KernelFn by_rows = [](const KernelContext* context, void* const* operands, int64_t begin,
                              int64_t end) {
    for (int64_t unit = begin; unit < end; ++unit) {
      const size_t row = static_cast<size_t>(unit / kUnits) * 16;
      auto hash = static_cast<uint32_t>(unit + context->position);
      for (int k = 0; k < 2; ++k) {
        const auto* words = static_cast<const uint32_t*>(operands[k]) + row;
        for (size_t i = 0; i < 8; ++i) hash = Mixer::Hash(hash, words[i]);
      }
      uint32_t* out = static_cast<uint32_t*>(operands[2]) + row + unit % kUnits * 2;
      out[0] = Mixer::Hash(1, hash);
      out[1] = Mixer::Hash(2, hash);
    }
  };
  // (a) → out: each unit, of one row of the result, mixes all rows of a.
  const KernelFn over_rows = [](const KernelContext* context, void* const* operands, int64_t begin,
                                int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      auto hash = static_cast<uint32_t>(row);
      for (int64_t i = 0; i < context->tokens * 16; ++i) {
        if (i % 16 < 8) hash = Mixer::Hash(hash, static_cast<const uint32_t*>(operands[0])[i]);
      }
      for (int64_t i = 0; i < 8; ++i) {
        static_cast<uint32_t*>(operands[1])[row * 16 + i] =
            Mixer::Hash(hash, static_cast<uint32_t>(i));
      }
    }
  };
  std::mt19937 random(13);
  for (int round = 0; round < (GetParam() > 8 ? 5 : 30); ++round) {
    TestModel model(kMaxRows);
    std::vector<OperandRef> buffers;
    for (int i = 0; i < kBuffers; ++i) {
      buffers.push_back(model.Arena(kMaxRows * kStride));
      buffers.back().stride = kStride;
    }
    const KernelFn first = [](const KernelContext* context, void* const* operands, int64_t begin,
                              int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        for (int64_t i = 0; i < 8; ++i) {
          static_cast<uint32_t*>(operands[0])[row * 16 + i] =
              static_cast<uint32_t>(context->position + row * 8 + i);
        }
      }
    };
    for (const OperandRef& buffer : buffers)
      model.Add("first", first, Extent::kTokens, 1, 1, {TestModel::Writes(buffer)});
    for (int i = 0; i < 40; ++i) {
      const size_t out = random() % kBuffers;
      const auto other = [&] { return (out + 1 + random() % (kBuffers - 1)) % kBuffers; };
      OperandRef a = buffers[other()];
      OperandRef result = TestModel::Writes(buffers[out]);
      if (random() % 4 != 0) {
        model.Add("rows", by_rows, Extent::kTokens, kUnits, 1, {a, buffers[other()], result});
      } else {
        a.stride = 0;
        if (random() % 2 == 0) result.stride = 0;
        model.Add("over", over_rows, Extent::kTokens, 1, 1 + random() % 3, {a, result});
      }
    }
    const KernelFn fold = [](const KernelContext* context, void* const* operands, int64_t,
                             int64_t) {
      uint32_t hash = 0;
      for (int buffer = 0; buffer < kBuffers; ++buffer) {
        for (int64_t i = 0; i < context->tokens * 16; ++i) {
          const auto* words = static_cast<const uint32_t*>(operands[buffer]);
          if (i % 16 < 8) hash = Mixer::Hash(hash, words[i]);
        }
      }
      *static_cast<uint32_t*>(operands[kBuffers]) = hash;
    };
    std::vector<OperandRef> all = buffers;
    for (OperandRef& buffer : all) buffer.stride = 0;
    all.push_back(model.program.argmax);
    model.Add("fold", fold, Extent::kOne, 1, 1, all);

    const auto executor = Make(model, Threads(GetParam()));
    ASSERT_NE(executor, nullptr);
    for (const int64_t rows : {int64_t{1}, int64_t{2}, int64_t{7}, kMaxRows}) {
      std::vector<uint64_t> arena(model.program.arena_bytes / 8);
      const KernelContext context = {rows, 1, 3};
      for (size_t i = 0; i < model.kernels.size(); ++i) {
        const Step& step = model.program.steps[i];
        std::vector<void*> operands;
        for (const OperandRef& operand : step.operands)
          operands.push_back(reinterpret_cast<uint8_t*>(arena.data()) + operand.offset);
        model.kernels[i](&context, operands.data(), 0,
                         step.extent == Extent::kOne ? 1 : step.units * rows);
      }
      const auto expected = static_cast<int32_t>(arena[model.program.argmax.offset / 8]);
      const std::vector<int32_t> ids(static_cast<size_t>(rows), 1);
      ASSERT_TRUE(executor->Run(ids, 3, 1).ok());
      ASSERT_EQ(executor->argmax(0), expected) << "program " << round << " rows " << rows;
    }
  }
}

TEST_P(ExecutorTest, KernelsRunInTheDefaultFloatEnvironment) {
  TestModel model;
  const KernelFn mxcsr = [](const KernelContext*, void* const* operands, int64_t begin,
                            int64_t end) {
    for (int64_t i = begin; i < end; ++i) static_cast<uint32_t*>(operands[0])[i] = _mm_getcsr();
  };
  const KernelFn collect = [](const KernelContext*, void* const* operands, int64_t, int64_t) {
    const auto* seen = static_cast<const uint32_t*>(operands[0]);
    int32_t wrong = 0;
    for (int i = 0; i < 64; ++i) wrong += (seen[i] & ~0x3fu) == kDefaultMxcsr ? 0 : 1;
    *static_cast<int32_t*>(operands[1]) = wrong;
  };
  const OperandRef seen = model.Arena(256);
  model.Add("mxcsr", mxcsr, Extent::kOne, 64, 1, {TestModel::Writes(seen)});
  model.Add("collect", collect, Extent::kOne, 1, 1, {seen, model.program.argmax});
  const unsigned before = _mm_getcsr();
  _mm_setcsr(kDefaultMxcsr | 0x8040);
  const auto executor = Make(model, Threads(GetParam()));
  ASSERT_NE(executor, nullptr);
  _mm_setcsr(kDefaultMxcsr | 0x8040);  // without flags that making it may raise
  EXPECT_TRUE(executor->Run({0}, 0, 1).ok());
  EXPECT_EQ(_mm_getcsr(), kDefaultMxcsr | 0x8040);
  _mm_setcsr(before);
  EXPECT_EQ(executor->argmax(0), 0);
}

std::atomic<bool> g_cancel = false;  // kernels are plain functions

TEST_P(ExecutorTest, CancelsBetweenSteps) {
  TestModel model = CountingModel();
  const KernelFn cancel = [](const KernelContext* context, void* const*, int64_t, int64_t) {
    if (context->position == 1) g_cancel = true;
  };
  model.Add("cancel", cancel, Extent::kOne, 1, 1, {TestModel::Reads(model.program.argmax)});
  model.Add("after", cancel, Extent::kOne, 1, 1, {TestModel::Writes(model.program.argmax)});
  g_cancel = false;
  ExecutorOptions options = Threads(GetParam());
  options.cancel = &g_cancel;
  const auto executor = Make(model, options);
  ASSERT_NE(executor, nullptr);
  ASSERT_TRUE(executor->Run({5}, 0, 1).ok());
  EXPECT_EQ(executor->Run({5}, 1, 1).code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(executor->Run({5}, 2, 1).code(), absl::StatusCode::kCancelled) << "until it is cleared";
  g_cancel = false;
  ASSERT_TRUE(executor->Run({5, 6}, 0, 1).ok());
  EXPECT_THAT(Row(*executor, 0), ElementsAreArray(CountingLogits({5, 6})));
}

TEST_P(ExecutorTest, CancelledFromAnotherThreadItNeverHangs) {
  const TestModel model = CountingModel();
  std::atomic<bool> cancel = false;
  ExecutorOptions options = Threads(GetParam());
  options.cancel = &cancel;
  const auto executor = Make(model, options);
  ASSERT_NE(executor, nullptr);
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    cancel = true;
  });
  absl::Status status;
  while (status.ok()) status = executor->Run({1, 2, 3, 4}, 0, 4);
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  other.join();
}

TEST(Executor, DefaultIsEveryCpuThatMayBeUsed) {
  const auto executor = Make(CountingModel(), ExecutorOptions());
  ASSERT_NE(executor, nullptr);
  EXPECT_EQ(executor->threads(), UsableCpus());
}

TEST(Executor, ReadsWeightsThatMove) {
  constexpr uint64_t kWeightBytes = 10 << 20;
  const std::string path = testing::TempDir() + "weft_executor_weights" + std::to_string(getpid());
  {
    std::vector<char> bytes(kWeightBytes);
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i % 251);
    std::ofstream(path, std::ios::binary).write(bytes.data(), kWeightBytes);
  }
  const auto file = MappedFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(unlink(path.c_str()), 0);
  const auto block = MappedBlock::Map({{*file, 0, kWeightBytes}});
  ASSERT_TRUE(block.ok()) << block.status();
  const auto copy = WeightCopy::Start(*block);
  ASSERT_TRUE(copy.ok()) << copy.status();

  TestModel model;
  model.program.weight_bytes = kWeightBytes;
  const KernelFn look = [](const KernelContext*, void* const* operands, int64_t, int64_t) {
    *static_cast<int32_t*>(operands[2]) =
        *static_cast<const uint8_t*>(operands[0]) * 256 + *static_cast<const uint8_t*>(operands[1]);
  };
  model.Add("look", look, Extent::kOne, 1, 1,
            {{Space::kWeights, kWeightBytes - 64, 64, false},
             {Space::kWeights, 4096, 64, false},
             TestModel::Writes(model.program.argmax)});
  ExecutorOptions options = Threads(2);
  options.weight_copy = copy->get();
  const auto executor =
      Executor::Create(model.program, model.kernels, (*block)->bytes().data(), options);
  ASSERT_TRUE(executor.ok()) << executor.status();
  EXPECT_EQ((*copy)->moved(), 0U) << "nothing moves before the first run";
  for (int run = 0; run < 20; ++run) {
    if (run == 10) (*copy)->Wait();
    ASSERT_TRUE((*executor)->Run({1}, 0, 1).ok());
    ASSERT_TRUE((*executor)->Run({1, 1}, 0, 2).ok());
    EXPECT_EQ((*executor)->argmax(0), (kWeightBytes - 64) % 251 * 256 + 4096 % 251);
  }
}

TEST(Executor, WeightsThatAreTruncated) {
  ASSERT_TRUE(GuardTruncatedFiles());
  const std::string path =
      testing::TempDir() + "weft_executor_truncated" + std::to_string(getpid());
  std::ofstream(path) << std::string(8192, 'x');
  const auto file = MappedFile::Open(path, /*guarded=*/true);
  ASSERT_TRUE(file.ok()) << file.status();
  const auto block = MappedBlock::Map({{*file, 0, 8192}});
  ASSERT_TRUE(block.ok()) << block.status();
  TestModel model;
  model.program.weight_bytes = 8192;
  const KernelFn copy = [](const KernelContext*, void* const* operands, int64_t, int64_t) {
    *static_cast<int32_t*>(operands[1]) = *static_cast<const uint8_t*>(operands[0]);
  };
  model.Add("copy", copy, Extent::kOne, 1, 1,
            {{Space::kWeights, 4096, 4, false}, model.program.argmax});
  ExecutorOptions options = Threads(2);
  options.weight_block = block->get();
  const auto executor =
      Executor::Create(model.program, model.kernels, (*block)->bytes().data(), options);
  ASSERT_TRUE(executor.ok()) << executor.status();
  ASSERT_TRUE((*executor)->Run({1}, 0, 1).ok());
  EXPECT_EQ((*executor)->argmax(0), 'x');
  ASSERT_EQ(truncate(path.c_str(), 4096), 0);
  for (int run = 0; run < 2; ++run)
    EXPECT_EQ((*executor)->Run({1}, 0, 1).code(), absl::StatusCode::kDataLoss);
  unlink(path.c_str());
}

TEST(Executor, ReadsWeights) {
  TestModel model;
  model.program.weight_bytes = 128;
  const KernelFn copy = [](const KernelContext*, void* const* operands, int64_t, int64_t) {
    *static_cast<int32_t*>(operands[1]) = *static_cast<const int32_t*>(operands[0]);
  };
  model.Add("copy", copy, Extent::kOne, 1, 1,
            {{Space::kWeights, 68, 4, false}, model.program.argmax});
  alignas(64) std::array<int32_t, 32> weights = {};
  weights[17] = 4711;
  const auto* bytes = reinterpret_cast<const uint8_t*>(weights.data());
  auto executor = Executor::Create(model.program, model.kernels, bytes, Threads(2));
  ASSERT_TRUE(executor.ok()) << executor.status();
  ASSERT_TRUE((*executor)->Run({0}, 0, 1).ok());
  EXPECT_EQ((*executor)->argmax(0), 4711);
  for (const uint8_t* wrong : {static_cast<const uint8_t*>(nullptr), bytes + 4}) {
    const auto refused = Executor::Create(model.program, model.kernels, wrong, Threads(2));
    EXPECT_THAT(std::string(refused.status().message()), HasSubstr("the weights are missing or"));
  }
}

TEST(Executor, RefusesRunsOutOfBounds) {
  const auto executor = Make(CountingModel(4, 2, 6), Threads(1));
  ASSERT_NE(executor, nullptr);
  const auto error = [&](const std::vector<int32_t>& ids, int64_t position, int64_t rows) {
    const absl::Status status = executor->Run(ids, position, rows);
    EXPECT_FALSE(status.ok());
    return std::string(status.message());
  };
  EXPECT_THAT(error({}, 0, 1), HasSubstr("a run of 0 tokens; it takes 1 to 4"));
  EXPECT_THAT(error({1, 1, 1, 1, 1}, 0, 1), HasSubstr("a run of 5 tokens"));
  EXPECT_THAT(error({1}, 0, 0), HasSubstr("logits for 0 rows"));
  EXPECT_THAT(error({1}, 0, 2), HasSubstr("gives 1 to 1"));
  EXPECT_THAT(error({1, 1, 1}, 0, 3), HasSubstr("gives 1 to 2"));
  EXPECT_THAT(error({1, 8}, 3, 1), HasSubstr("token id 8 (at position 4) is not in the model's "
                                             "vocabulary of 8"));
  EXPECT_THAT(error({-1}, 0, 1), HasSubstr("token id -1"));
  EXPECT_THAT(error({1}, -1, 1), HasSubstr("position -1 is negative"));
  EXPECT_THAT(error({1, 1}, 5, 1), HasSubstr("2 tokens after position 5 do not fit the context of "
                                             "6 tokens (compile it for a larger one with -c"));
  EXPECT_THAT(error({1}, INT64_MAX, 1), HasSubstr("do not fit the context"));
  EXPECT_TRUE(executor->Run({1, 1}, 4, 1).ok());
}

TEST(Executor, RefusesBadPrograms) {
  const auto error = [](const TestModel& model, int threads = 1) {
    const auto executor = Executor::Create(model.program, model.kernels, nullptr, Threads(threads));
    EXPECT_FALSE(executor.ok());
    return std::string(executor.status().message());
  };
  TestModel model = CountingModel();
  model.program.steps[1].operands[0].offset = 1 << 20;
  EXPECT_THAT(error(model), HasSubstr("operand 0 of step 1 'count'"));
  model = CountingModel();
  model.kernels.pop_back();
  EXPECT_THAT(error(model), HasSubstr("2 kernels for a program of 3 steps"));
  model = CountingModel();
  model.kernels[1] = nullptr;
  EXPECT_THAT(error(model), HasSubstr("no kernel 'count_kernel' for step 'count'"));
  model = CountingModel();
  model.program.kv_bytes = uint64_t{1} << 46;
  EXPECT_THAT(error(model), HasSubstr("no memory for activations and the KV cache of a context of "
                                      "64 tokens: it takes"));
  model = CountingModel();
  EXPECT_THAT(error(model, -1), HasSubstr("-1 threads"));
}

TEST(Executor, CreateAndDestroyAThousandTimes) {
  const TestModel model = CountingModel();
  for (int i = 0; i < 1000; ++i) {
    const auto executor = Make(model, Threads(i % 4));
    ASSERT_NE(executor, nullptr);
    if (i % 4 != 3) continue;
    ASSERT_TRUE(executor->Run({1}, 0, 1).ok()) << i;
  }
}

TEST(ExecutorDeathTest, RowsThatWereNotComputed) {
  const auto executor = Make(CountingModel(), Threads(1));
  ASSERT_NE(executor, nullptr);
  EXPECT_DEATH((void)executor->logits(0), "check failed");
  ASSERT_TRUE(executor->Run({1, 2}, 0, 1).ok());
  EXPECT_DEATH((void)executor->argmax(1), "check failed");
}

}  // namespace
}  // namespace weft
