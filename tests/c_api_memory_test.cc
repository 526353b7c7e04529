// The public interface where memory is out: whichever allocation of a call fails, once or from then
// on, the call says so, and nothing passes into C.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <new>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/c/weft.h"
#include "tests/harness.h"
#include "tools/engine.h"

namespace {

// Of this thread: the allocation to fail, and those since counting began.
thread_local int64_t fail_at = -1;
thread_local bool from_then_on = false;
thread_local int64_t allocations = 0;

void* Allocate(size_t size) {
  const int64_t number = allocations++;
  if (fail_at >= 0 && (number == fail_at || (from_then_on && number > fail_at)))
    throw std::bad_alloc();
  void* block = std::malloc(size == 0 ? 1 : size);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

}  // namespace

void* operator new(size_t size) { return Allocate(size); }
void* operator new[](size_t size) { return Allocate(size); }
void operator delete(void* block) noexcept { std::free(block); }
void operator delete[](void* block) noexcept { std::free(block); }
void operator delete(void* block, size_t) noexcept { std::free(block); }
void operator delete[](void* block, size_t) noexcept { std::free(block); }

namespace weft {
namespace {

class MemoryOut : public testing::Test {
 protected:
  void SetUp() override {
    const std::string folder = testing::TempDir() + "weft-c-api-memory";
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
    std::filesystem::copy(TinyPath("qwen3"), folder + "/model");
    std::ofstream(folder + "/model/chat_template.jinja")
        << "{% set ns = namespace(last='') %}{% macro turn(message, mark='<|') %}{{ mark }}"
           "{{ message.role | upper }}: {{ message.content | trim }}{% endmacro %}"
           "{% for message in messages %}{{ turn(message, mark='a mark that is long enough') }}"
           "{% set ns.last = message['content'].split(' ')[-1] %}{% endfor %}"
           "{{ ns.last ~ [3, 1, 2] | sort | join(', ') ~ {'a': 1} | tojson }}";
    setenv("XDG_CACHE_HOME", folder.c_str(), /*overwrite=*/1);  // for machine code
    path_ = folder + "/m.weft";
    const auto model = LoadModel(folder + "/model");
    ASSERT_TRUE(model.ok()) << model.status();
    const auto compiled =
        tools::CompileModel(*model, TestSettings("host", passes::WeightsMode::kAuto));
    ASSERT_TRUE(compiled.ok()) << compiled.status();
    ASSERT_TRUE(tools::WritePlan(*model, *compiled, path_).ok());
    ASSERT_EQ(weft_plan_open(path_.c_str(), nullptr, &plan_), nullptr);
    const weft_session_options options = {.struct_size = sizeof(options), .threads = 1};
    ASSERT_EQ(weft_session_create(plan_, &options, &session_), nullptr);
    const int32_t ids[] = {1, 2, 3};
    ASSERT_EQ(weft_session_prefill(session_, ids, 3), nullptr);
  }
  void TearDown() override {
    weft_session_free(session_);
    weft_plan_close(plan_);
  }

  // `call` tells whether memory was out: by the code, or by NULL. It is, exactly where an
  // allocation failed.
  void Sweep(const std::function<bool()>& call) {
    allocations = 0;
    EXPECT_FALSE(call());
    const int64_t count = allocations;
    EXPECT_GT(count, 0);
    std::cout << count << " allocations, each fails in two runs\n";
    for (const bool on : {false, true}) {
      for (int64_t at = 0; at < count; ++at) {
        allocations = 0;
        from_then_on = on;
        fail_at = at;
        const bool out = call();
        const bool struck = allocations > at;
        fail_at = -1;
        EXPECT_EQ(out, struck) << at << " of " << count;
      }
    }
  }

  static bool IsOut(weft_error* error) {
    if (error == nullptr) return false;
    const bool out = weft_error_code(error) == WEFT_RESOURCE_EXHAUSTED &&
                     std::string_view(weft_error_message(error)) == "out of memory";
    weft_error_free(error);
    return out;
  }

  std::string path_;
  weft_plan* plan_ = nullptr;
  weft_session* session_ = nullptr;
};

TEST_F(MemoryOut, Decoder) {
  // Parts of many characters, so that their texts do not fit into a string itself.
  const std::vector<int32_t> ids = {65, 66, 300, 301, 302, 303, 304, 305, 306, 307, 308, 309};
  Sweep([&] {
    weft_decoder* decoder = nullptr;
    if (IsOut(weft_decoder_create(plan_, &decoder))) return true;
    weft_decoder_prime(decoder, ids.data(), ids.size());
    bool out = false;
    size_t length = 0;
    for (const int32_t id : ids) out |= weft_decoder_add(decoder, id, &length) == nullptr;
    out |= weft_decoder_finish(decoder, &length) == nullptr;
    weft_decoder_free(decoder);
    return out;
  });
}

TEST_F(MemoryOut, Sampler) {
  Sweep([&] {
    weft_sampler_options options = {.struct_size = sizeof(options)};
    weft_sampler_defaults(plan_, &options);
    options.repeat_penalty = 1.1f;
    weft_sampler* sampler = nullptr;
    if (IsOut(weft_sampler_create(&options, &sampler))) return true;
    for (int32_t id = 0; id < 100; ++id) weft_sampler_accept(sampler, id);
    int32_t id = -1;
    const bool out = IsOut(weft_sampler_sample(sampler, session_, &id));
    weft_sampler_free(sampler);
    return out;
  });
}

TEST_F(MemoryOut, Session) {
  Sweep([&] {
    const weft_session_options options = {.struct_size = sizeof(options), .threads = 2};
    weft_session* session = nullptr;
    if (IsOut(weft_session_create(plan_, &options, &session))) return true;
    const int32_t ids[] = {1, 2, 3};
    bool out = IsOut(weft_session_prefill(session, ids, 3));
    if (!out) out = IsOut(weft_session_decode(session, 4));
    weft_session_free(session);
    return out;
  });
}

TEST_F(MemoryOut, Plan) {
  Sweep([&] {
    weft_plan* plan = nullptr;
    bool out = IsOut(weft_plan_open(path_.c_str(), nullptr, &plan));
    if (!out) out = IsOut(weft_plan_verify(plan));
    weft_plan_close(plan);
    return out;
  });
}

TEST_F(MemoryOut, ChatTemplate) {
  const weft_message messages[] = {{"user", "It was the best of times, or was it?"},
                                   {"assistant", "It was."}};
  Sweep([&] {
    char text[1000];
    size_t length = 0;
    return IsOut(weft_apply_chat_template(plan_, messages, 2, text, sizeof(text), &length));
  });
}

TEST_F(MemoryOut, Tokens) {
  const std::string text = "It was the best of times, it was the worst of times.";
  Sweep([&] {
    int32_t ids[100];
    size_t count = 0;
    return IsOut(
        weft_tokenize(plan_, text.data(), text.size(), WEFT_ADD_SPECIAL, ids, 100, &count));
  });
}

}  // namespace
}  // namespace weft
