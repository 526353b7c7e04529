#include "runtime/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/mapped_block.h"
#include "runtime/base/truncation_guard.h"
#include "runtime/test_kernels.h"

namespace weft {
namespace {

using testing::ElementsAreArray;
using testing::HasSubstr;

class SessionTest : public testing::Test {
 protected:
  void Use(const TestModel& model) {
    ExecutorOptions options;
    options.threads = 2;
    options.cancel = &cancel_;
    auto executor = Executor::Create(model.program, model.kernels, nullptr, options);
    ASSERT_TRUE(executor.ok()) << executor.status();
    executor_ = *std::move(executor);
  }
  void SetUp() override { Use(CountingModel(4, 3, 20)); }

  const std::vector<int32_t> ids_ = {3, 1, 3, 7, 0, 3, 2, 2, 2, 2, 6};
  std::atomic<bool> cancel_ = false;
  std::unique_ptr<Executor> executor_;
};

TEST_F(SessionTest, ChunksDoNotMatter) {
  for (const int64_t chunk : {0, 1, 2, 3, 4, 100}) {
    Session session(executor_.get());
    ASSERT_TRUE(session.Prefill(ids_, chunk).ok());
    EXPECT_EQ(session.position(), 11);
    EXPECT_THAT(session.Logits(), ElementsAreArray(CountingLogits(ids_)));
    EXPECT_EQ(session.Argmax(), 2);
  }
}

TEST_F(SessionTest, DecodeGoesOn) {
  Session session(executor_.get());
  EXPECT_EQ(session.context(), 20);
  EXPECT_EQ(session.vocab(), 8);
  std::vector<int32_t> all = {5};
  ASSERT_TRUE(session.Decode(5).ok()) << "also as the first";
  for (const int32_t id : ids_) {
    ASSERT_TRUE(session.Decode(id).ok());
    all.push_back(id);
    EXPECT_THAT(session.Logits(), ElementsAreArray(CountingLogits(all)));
  }
  session.Reset();
  EXPECT_EQ(session.position(), 0);
  ASSERT_TRUE(session.Decode(5).ok());
  EXPECT_THAT(session.Logits(), ElementsAreArray(CountingLogits({5})));
}

TEST_F(SessionTest, LogitsOfEveryPosition) {
  for (const int64_t chunk : {0, 1, 2, 3, 100}) {
    Session session(executor_.get());
    std::vector<int32_t> seen;
    int64_t next = 0;
    const auto check = [&](int64_t position, absl::Span<const float> logits) {
      EXPECT_EQ(position, next++);
      seen.push_back(ids_[static_cast<size_t>(position)]);
      EXPECT_THAT(logits, ElementsAreArray(CountingLogits(seen)));
      return absl::OkStatus();
    };
    ASSERT_TRUE(
        session.PrefillWithLogits(absl::MakeConstSpan(ids_).subspan(0, 5), check, chunk).ok());
    ASSERT_TRUE(session.PrefillWithLogits(absl::MakeConstSpan(ids_).subspan(5), check, chunk).ok());
    EXPECT_EQ(next, 11);
    EXPECT_THAT(session.Logits(), ElementsAreArray(CountingLogits(ids_)));
  }
}

TEST_F(SessionTest, TheCallerEndsLogits) {
  Session session(executor_.get());
  int calls = 0;
  const absl::Status status =
      session.PrefillWithLogits(ids_, [&](int64_t, absl::Span<const float>) {
        return ++calls == 4 ? absl::DataLossError("enough") : absl::OkStatus();
      });
  EXPECT_EQ(status.message(), "enough");
  EXPECT_EQ(calls, 4);
  EXPECT_EQ(session.position(), 0);
  EXPECT_FALSE(session.has_logits());
}

// The weights are cut after the first chunk.
TEST_F(SessionTest, AFailureLeavesTheSequenceAsItWas) {
  ASSERT_TRUE(GuardTruncatedFiles());
  const std::string path = testing::TempDir() + "weft_session_cut" + std::to_string(getpid());
  std::ofstream(path) << std::string(8192, 'x');
  const auto file = MappedFile::Open(path, /*guarded=*/true);
  ASSERT_TRUE(file.ok()) << file.status();
  const auto block = MappedBlock::Map({{*file, 0, 8192}});
  ASSERT_TRUE(block.ok()) << block.status();
  TestModel model = CountingModel(4, 3, 20);
  model.program.weight_bytes = 8192;
  const KernelFn look = [](const KernelContext*, void* const* operands, int64_t, int64_t) {
    *static_cast<int32_t*>(operands[1]) = *static_cast<const uint8_t*>(operands[0]);
  };
  model.Add("look", look, Extent::kOne, 1, 1,
            {{Space::kWeights, 4096, 64, false}, TestModel::Writes(model.Arena(64))});
  ExecutorOptions options;
  options.weight_block = block->get();
  const auto executor =
      Executor::Create(model.program, model.kernels, (*block)->bytes().data(), options);
  ASSERT_TRUE(executor.ok()) << executor.status();

  Session session(executor->get());
  ASSERT_TRUE(session.Prefill({3, 1}).ok());
  EXPECT_TRUE(session.has_logits());
  const absl::Status status =
      session.PrefillWithLogits(ids_, [&](int64_t position, absl::Span<const float>) {
        const bool cut = position != 4 || truncate(path.c_str(), 0) == 0;
        return cut ? absl::OkStatus() : absl::InternalError("not cut");
      });
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_EQ(session.position(), 2) << "though a chunk was complete";
  EXPECT_FALSE(session.has_logits());
  EXPECT_EQ(session.Decode(8).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(session.has_logits());
  unlink(path.c_str());
}

TEST_F(SessionTest, RefusesBeforeItChangesAnything) {
  Session session(executor_.get());
  const auto error = [&](const std::vector<int32_t>& ids, int64_t chunk = 0) {
    const absl::Status status = session.Prefill(ids, chunk);
    EXPECT_FALSE(status.ok());
    const auto nothing = [](int64_t, absl::Span<const float>) { return absl::OkStatus(); };
    EXPECT_EQ(session.PrefillWithLogits(ids, nothing, chunk), status);
    EXPECT_EQ(session.position(), 11);
    EXPECT_THAT(session.Logits(), ElementsAreArray(CountingLogits(ids_)));
    return std::string(status.message());
  };
  ASSERT_TRUE(session.Prefill(ids_).ok());
  EXPECT_THAT(error({}), HasSubstr("the prompt is empty"));
  EXPECT_THAT(error({1}, -1), HasSubstr("chunks of -1"));
  EXPECT_THAT(error({1, 1, 1, 1, 1, 8}), HasSubstr("token id 8 (at position 16)"));
  EXPECT_THAT(error(std::vector<int32_t>(10, 1)),
              HasSubstr("10 tokens after position 11 do not fit the context of 20 tokens"));
  EXPECT_TRUE(session.Prefill(std::vector<int32_t>(9, 1)).ok());
  EXPECT_EQ(session.Decode(1).code(), absl::StatusCode::kOutOfRange);
}

TEST_F(SessionTest, ACancelledPrefillCanBeTakenUp) {
  Session session(executor_.get());
  const absl::Status status =
      session.PrefillWithLogits(ids_, [&](int64_t position, absl::Span<const float>) {
        if (position == 4) cancel_ = true;
        return absl::OkStatus();
      });
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(session.position(), 6) << "two chunks of three";
  EXPECT_FALSE(session.has_logits());
  cancel_ = false;
  ASSERT_TRUE(session.Prefill(absl::MakeConstSpan(ids_).subspan(6)).ok());
  EXPECT_THAT(session.Logits(), ElementsAreArray(CountingLogits(ids_)));
}

}  // namespace
}  // namespace weft
