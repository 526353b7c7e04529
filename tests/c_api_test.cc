// The public interface: plans of tiny models of every family, compiled and written to files, give
// the logits and tokens of Hugging Face transformers through weft.hpp alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/strings/str_join.h"
#include "codegen/target.h"
#include "runtime/base/cpu.h"
#include "runtime/base/read_file.h"
#include "runtime/c/weft.hpp"
#include "runtime/plan/plan_format.h"
#include "tests/harness.h"
#include "tests/plan_goldens.h"
#include "tools/engine.h"

namespace weft {
namespace {

using testing::HasSubstr;

class CApi : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(Folder());
    setenv("XDG_CACHE_HOME", Folder().c_str(), /*overwrite=*/1);  // for machine code
  }
  static std::string Folder() { return testing::TempDir() + "weft-c-api"; }

  // The path of a plan of a tiny model.
  static std::string PlanOf(const std::string& name, passes::WeightsMode mode) {
    const std::string path = absl::StrCat(Folder(), "/", name, "-", Name(mode), ".weft");
    const auto model = LoadModel(TinyPath(name));
    EXPECT_TRUE(model.ok()) << model.status();
    const auto compiled = tools::CompileModel(*model, TestSettings("host", mode));
    EXPECT_TRUE(compiled.ok()) << compiled.status();
    const auto written = tools::WritePlan(*model, *compiled, path);
    EXPECT_TRUE(written.ok()) << written.status();
    return path;
  }

  static weft_code CodeOf(const std::function<void()>& call, const std::string& message) {
    try {
      call();
    } catch (const runtime::Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(message));
      return error.code();
    }
    ADD_FAILURE() << "no error; expected " << message;
    return WEFT_INTERNAL;
  }
};

std::vector<float> LastLogits(runtime::Session& session, absl::Span<const int32_t> ids) {
  session.Prefill({ids.data(), ids.size()});
  const auto logits = session.Logits();
  return {logits.begin(), logits.end()};
}

TEST_F(CApi, GoldensOfEveryFamily) {
  for (const std::string& name : TinyModels()) {
    SCOPED_TRACE(name);
    ExpectGoldens(runtime::Plan(PlanOf(name, passes::WeightsMode::kF32)), name);
  }
}

// Two plans define kernels of the same names; each runs its own. Sessions share a plan.
TEST_F(CApi, PlansAndSessionsSideBySide) {
  const Golden golden = *ReadGolden(TinyPath("llama-gqa"));
  const runtime::Plan f32(PlanOf("llama-gqa", passes::WeightsMode::kF32));
  const runtime::Plan q8(PlanOf("llama-gqa", passes::WeightsMode::kQ8_0), /*no_hugepages=*/true);
  const runtime::Plan again(PlanOf("llama-gqa", passes::WeightsMode::kF32));
  std::vector<std::vector<float>> logits(6);
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < logits.size(); ++i) {
      threads.emplace_back([&, i] {
        const runtime::Plan& plan = i % 3 == 0 ? f32 : i % 3 == 1 ? q8 : again;
        runtime::Session session(plan, static_cast<int>(1 + i % 2));
        for (int turn = 0; turn < 5; ++turn) {
          session.Reset();
          logits[i] = LastLogits(session, golden.input_ids);
        }
      });
    }
  }
  for (size_t i = 3; i < 6; ++i) EXPECT_EQ(logits[i], logits[i - 3]);
  EXPECT_EQ(logits[0], logits[2]);
  EXPECT_NE(logits[0], logits[1]);
}

// Of all targets in one plan the best that this machine executes runs, or the one asked for, and
// each gives the same bits.
TEST_F(CApi, PlansForSeveralTargets) {
  const std::string path = Folder() + "/fat.weft";
  const auto model = LoadModel(TinyPath("gemma3"));
  ASSERT_TRUE(model.ok()) << model.status();
  const std::string all = absl::StrJoin(codegen::KnownTargets(), ",");
  const auto compiled = tools::CompileModel(*model, TestSettings(all, passes::WeightsMode::kQ8_0));
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  ASSERT_TRUE(tools::WritePlan(*model, *compiled, path).ok());
  const std::vector<int32_t> ids = ReadGolden(TinyPath("gemma3"))->input_ids;

  const runtime::Plan best(path);
  EXPECT_EQ(best.target(), codegen::ParseTarget("host", DetectCpuFeatures())->name);
  runtime::Session session(best);
  const std::vector<float> expected = LastLogits(session, ids);
  for (const std::string& target : ExecutableTargets()) {
    const runtime::Plan plan(path, /*no_hugepages=*/false, target);
    EXPECT_EQ(plan.target(), target);
    runtime::Session other(plan);
    EXPECT_EQ(LastLogits(other, ids), expected) << target;
  }
  EXPECT_EQ(CodeOf([&] { const runtime::Plan none(path, false, "z80"); },
                   "no machine code for 'z80'; it is for: x86-64-v3, "),
            WEFT_INVALID_ARGUMENT);
}

TEST_F(CApi, TextSamplingAndProfile) {
  const runtime::Plan plan(PlanOf("qwen3", passes::WeightsMode::kAuto));
  EXPECT_GT(plan.context(), 0);
  const std::string text = "The quick brown fox";
  const std::vector<int32_t> ids = plan.Tokenize(text);
  runtime::Decoder decoder(plan);
  std::string back;
  for (int32_t id : ids) back += decoder.Add(id);
  EXPECT_EQ(back + decoder.Finish(), text);
  int32_t first = -1;
  size_t count = 0;
  runtime::Check(weft_tokenize(plan.get(), text.data(), text.size(),
                               WEFT_ADD_SPECIAL | WEFT_PARSE_SPECIAL, &first, 1, &count));
  EXPECT_EQ(count, ids.size());
  EXPECT_EQ(first, ids[0]);

  runtime::Session session(plan, 2, /*profile=*/true);
  EXPECT_TRUE(session.Logits().empty());
  EXPECT_EQ(session.Argmax(), -1);
  session.Prefill(ids);
  weft_sampler_options options = runtime::Sampler::Defaults(plan);
  options.seed = 7;
  EXPECT_EQ(runtime::Sampler(options).Sample(session), runtime::Sampler(options).Sample(session));
  options.temperature = 0;
  EXPECT_EQ(runtime::Sampler(options).Sample(session), session.Argmax());

  struct Totals {
    int steps = 0;
    int64_t weight_bytes = 0;
  } totals;
  weft_session_profile(
      session.get(),
      [](const weft_step_profile* step, void* user) {
        auto* sums = static_cast<Totals*>(user);
        EXPECT_NE(std::strlen(step->kernel), 0U);
        EXPECT_EQ(step->calls, 1);
        ++sums->steps;
        sums->weight_bytes += step->weight_bytes;
      },
      &totals);
  EXPECT_GT(totals.steps, 10);
  EXPECT_GT(totals.weight_bytes, 0);
}

// The weights leave while they are in the file's pages; then every call says so, and none crashes.
TEST_F(CApi, PlanThatIsTruncatedWhileInUse) {
  runtime::GuardTruncatedFiles();
  const std::string path = PlanOf("llama-gqa", passes::WeightsMode::kF32);
  const runtime::Plan plan(path, /*no_hugepages=*/true);
  runtime::Session session(plan, 2);
  session.Decode(1);
  runtime::Sampler sampler(runtime::Sampler::Defaults(plan));
  EXPECT_EQ(session.Logits().size(), static_cast<size_t>(plan.vocab()));
  std::filesystem::resize_file(path, 4096);
  EXPECT_EQ(CodeOf([&] { session.Decode(2); }, path + ": the file was truncated"), WEFT_DATA_LOSS);
  EXPECT_EQ(CodeOf([&] { session.Decode(2); }, "the file was truncated"), WEFT_DATA_LOSS);
  EXPECT_EQ(CodeOf([&] { plan.Verify(); }, path), WEFT_DATA_LOSS);
  EXPECT_EQ(session.position(), 1);
  EXPECT_TRUE(session.Logits().empty());
  EXPECT_EQ(session.Argmax(), -1);
  EXPECT_EQ(CodeOf([&] { (void)sampler.Sample(session); }, "no logits"), WEFT_FAILED_PRECONDITION);
  EXPECT_EQ(CodeOf([&] { session.Decode(-3); }, "-3"), WEFT_INVALID_ARGUMENT);
  EXPECT_TRUE(session.Logits().empty()) << "nor does a refusal bring them back";
  EXPECT_EQ(CodeOf([&] { runtime::Plan again(path); }, path), WEFT_DATA_LOSS);
}

TEST_F(CApi, Errors) {
  EXPECT_EQ(CodeOf([] { runtime::Plan("/no/such.weft"); }, "/no/such.weft"), WEFT_NOT_FOUND);
  const std::string path = PlanOf("gpt2", passes::WeightsMode::kAuto);
  {
    const runtime::Plan plan(path);
    runtime::Session session(plan, 1);
    EXPECT_EQ(CodeOf([&] { session.Prefill({}); }, "no"), WEFT_INVALID_ARGUMENT);
    session.Decode(1);
    EXPECT_EQ(CodeOf([&] { session.Decode(-3); }, "-3"), WEFT_INVALID_ARGUMENT);
    EXPECT_EQ(session.position(), 1);
    const std::vector<int32_t> many(static_cast<size_t>(plan.context()), 1);
    EXPECT_EQ(CodeOf([&] { session.Prefill(many); }, "context"), WEFT_OUT_OF_RANGE);
    EXPECT_FALSE(session.Logits().empty()) << "what is refused changes nothing";
    session.Cancel();
    EXPECT_EQ(CodeOf([&] { session.Decode(1); }, ""), WEFT_CANCELLED);
    EXPECT_TRUE(session.Logits().empty());
    session.Reset();
    session.Decode(1);  // the cancellation was for one call
    EXPECT_EQ(session.position(), 1);
    weft_sampler_options options = runtime::Sampler::Defaults(plan);
    options.temperature = -1;
    EXPECT_EQ(CodeOf([&] { runtime::Sampler sampler(options); }, "temperature"),
              WEFT_INVALID_ARGUMENT);
    EXPECT_EQ(CodeOf([&] { plan.ApplyChatTemplate({{"user", "a"}}); }, "no chat template"),
              WEFT_NOT_FOUND);
  }
  {
    const runtime::Plan plan(path);
    runtime::Session session(plan, 1);
    // Of ids that are not there, none is looked at.
    const int32_t id = 1;
    for (const size_t count : {size_t{1} << 40, size_t{1} << 63, ~size_t{0}}) {
      weft_error* const error = weft_session_prefill(session.get(), &id, count);
      ASSERT_NE(error, nullptr);
      EXPECT_EQ(weft_error_code(error), WEFT_OUT_OF_RANGE) << weft_error_message(error);
      weft_error_free(error);
    }
  }
  std::string bytes = *ReadFileToString(path, 1 << 30);
  const auto entries = DecodePlanHeader(
      absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()), path);
  ASSERT_TRUE(entries.ok()) << entries.status();
  for (const PlanEntry& entry : *entries) {
    if (entry.kind == PlanSection::kWeights) bytes[entry.offset] ^= 1;
  }
  std::ofstream(path, std::ios::binary) << bytes;
  EXPECT_EQ(CodeOf([&] { runtime::Plan(path).Verify(); }, "weights"), WEFT_DATA_LOSS);
}

TEST_F(CApi, TextsThatAreNull) {
  weft_plan* plan = nullptr;
  const auto code = [](weft_error* error) {
    EXPECT_NE(error, nullptr);
    const weft_code found = error == nullptr ? WEFT_INTERNAL : weft_error_code(error);
    weft_error_free(error);
    return found;
  };
  EXPECT_EQ(code(weft_plan_open(nullptr, nullptr, &plan)), WEFT_INVALID_ARGUMENT);
  EXPECT_EQ(plan, nullptr);
  std::string path;
  {
    auto model = LoadModel(TinyPath("gpt2"));
    ASSERT_TRUE(model.ok()) << model.status();
    model->text.chat_template = "{{ messages[0].content }}";
    const auto compiled =
        tools::CompileModel(*model, TestSettings("host", passes::WeightsMode::kF32));
    ASSERT_TRUE(compiled.ok()) << compiled.status();
    path = Folder() + "/chat.weft";
    ASSERT_TRUE(tools::WritePlan(*model, *compiled, path).ok());
  }
  const runtime::Plan opened(path);
  char text[16];
  size_t length = 0;
  for (const weft_message& message :
       {weft_message{nullptr, "a"}, weft_message{"user", nullptr}, weft_message{}}) {
    EXPECT_EQ(
        code(weft_apply_chat_template(opened.get(), &message, 1, text, sizeof(text), &length)),
        WEFT_INVALID_ARGUMENT);
  }
  const weft_message whole = {"user", "hi"};
  EXPECT_EQ(weft_apply_chat_template(opened.get(), &whole, 1, text, sizeof(text), &length),
            nullptr);
  EXPECT_EQ(std::string(text, length), "hi");
}

}  // namespace
}  // namespace weft
