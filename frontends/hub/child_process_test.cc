#include "frontends/hub/child_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <string>

#include "tests/http/fake_hub.h"

namespace weft {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

ChildProcess Shell(const std::string& script) {
  ChildProcess child;
  child.arguments = {"sh", "-c", script};
  return child;
}

TEST(ChildProcessTest, ExitCodeAndBothOutputs) {
  auto result = RunChild(Shell("echo out; echo err >&2; exit 3"));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->exit_code, 3);
  EXPECT_EQ(result->output, "out\nerr\n");
}

TEST(ChildProcessTest, SignalIsAnExitCode) {
  EXPECT_EQ(RunChild(Shell("kill -TERM $$"))->exit_code, 128 + 15);
}

TEST(ChildProcessTest, KeepsTheEndOfLongOutput) {
  auto result =
      RunChild(Shell("i=0; while [ $i -lt 3000 ]; do echo 0123456789; i=$((i+1)); done; echo end"));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_LE(result->output.size(), 4096u);
  EXPECT_THAT(result->output, HasSubstr("0123456789\nend\n"));
}

TEST(ChildProcessTest, FolderEnvironmentAndEmptyInput) {
  TemporaryFolder folder;
  ScopedEnvironment variables({{"WEFT_TEST_SECRET", "s"}, {"WEFT_TEST_OLD", "old"}});
  ChildProcess child = Shell("pwd; echo $WEFT_TEST_OLD,$WEFT_TEST_SECRET; cat");
  child.folder = folder.path();
  child.environment["WEFT_TEST_OLD"] = "new";
  child.hidden = {"WEFT_TEST_SECRET"};
  EXPECT_EQ(RunChild(child)->output, folder.path() + "\nnew,\n");
}

TEST(ChildProcessTest, ArgumentsAreNotInterpreted) {
  ChildProcess child;
  child.arguments = {"echo", "$HOME; `x`"};
  EXPECT_EQ(RunChild(child)->output, "$HOME; `x`\n");
}

TEST(ChildProcessTest, MissingProgram) {
  ChildProcess child;
  child.arguments = {"no-such-program-here"};
  auto result = RunChild(child);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(result.status().message()),
              StartsWith("cannot run no-such-program-here"));
}

TEST(ChildProcessTest, IsStoppedWhenAsked) {
  ChildProcess child;
  child.arguments = {"sleep", "30"};
  child.poll_interval = std::chrono::milliseconds(5);
  int polls = 0;
  child.keep_running = [&] { return ++polls < 3; };
  auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(RunChild(child).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST(ChildProcessTest, EndsWithItsParent) {
  // Held open by the grandchild alone, in the end.
  std::array<int, 2> ends;
  ASSERT_EQ(pipe(ends.data()), 0);
  const pid_t parent = fork();
  if (parent == 0) {
    close(ends[0]);
    ChildProcess child = Shell("echo started >&" + std::to_string(ends[1]) + "; exec sleep 30");
    (void)RunChild(child);
    _exit(0);
  }
  close(ends[1]);
  char byte = 0;
  ASSERT_EQ(read(ends[0], &byte, 1), 1);  // it runs
  while (byte != '\n') ASSERT_EQ(read(ends[0], &byte, 1), 1);
  kill(parent, SIGTERM);
  waitpid(parent, nullptr, 0);
  pollfd end{ends[0], POLLIN, 0};
  EXPECT_EQ(poll(&end, 1, 10'000), 1) << "the child outlives its parent";
  close(ends[0]);
}

}  // namespace
}  // namespace weft
