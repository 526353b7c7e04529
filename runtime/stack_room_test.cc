#include "runtime/stack_room.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include <string>

namespace weft {
namespace {

using testing::HasSubstr;

TEST(StackRoom, IsThatOfTheThread) {
  pthread_attr_t attributes;
  ASSERT_EQ(pthread_attr_init(&attributes), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, 256 << 10), 0);
  struct Outcome {
    absl::Status small, large;
  } outcome;
  pthread_t thread;
  const auto body = [](void* argument) -> void* {
    auto* of = static_cast<Outcome*>(argument);
    of->small = CheckStackRoom(64 << 10);
    of->large = CheckStackRoom(256 << 10);
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &attributes, body, &outcome), 0);
  ASSERT_EQ(pthread_join(thread, nullptr), 0);
  pthread_attr_destroy(&attributes);
  EXPECT_TRUE(outcome.small.ok()) << outcome.small;
  EXPECT_EQ(outcome.large.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(outcome.large.message()), HasSubstr("stack left, but 256 may be needed"));
  EXPECT_TRUE(CheckStackRoom(64 << 10).ok());
}

}  // namespace
}  // namespace weft
