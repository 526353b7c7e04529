#include "frontends/hub/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "frontends/hub/file_io.h"

extern char** environ;

namespace weft {
namespace {

constexpr size_t kMaxOutput = 4096;

std::vector<std::string> ChildEnvironment(const ChildProcess& child) {
  std::vector<std::string> lines;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    absl::string_view line(*entry);
    std::string name(line.substr(0, line.find('=')));
    if (child.environment.contains(name) ||
        std::find(child.hidden.begin(), child.hidden.end(), name) != child.hidden.end()) {
      continue;
    }
    lines.emplace_back(line);
  }
  for (const auto& [name, value] : child.environment) lines.push_back(name + "=" + value);
  return lines;
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& s : strings) pointers.push_back(s.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Waits for output until the child's end of the pipe is closed; false if `keep_running` said so.
bool Collect(const ChildProcess& child, int fd, std::string& output) {
  std::array<char, 4096> buffer;
  for (;;) {
    pollfd waiting{fd, POLLIN, 0};
    int ready = poll(&waiting, 1, static_cast<int>(child.poll_interval.count()));
    if (ready > 0) {
      ssize_t n = read(fd, buffer.data(), buffer.size());
      if (n == 0 || (n < 0 && errno != EINTR)) return true;
      if (n > 0) output.append(buffer.data(), static_cast<size_t>(n));
      if (output.size() > 2 * kMaxOutput) output.erase(0, output.size() - kMaxOutput);
    }
    if (child.keep_running && !child.keep_running()) return false;
  }
}

}  // namespace

absl::StatusOr<ChildResult> RunChild(const ChildProcess& child) {
  std::array<int, 2> ends;
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "cannot open a pipe");
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, writer.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, writer.get(), STDERR_FILENO);
  if (!child.folder.empty()) {
    posix_spawn_file_actions_addchdir_np(&actions, child.folder.c_str());
  }
  std::vector<std::string> arguments = child.arguments;
  std::vector<std::string> environment = ChildEnvironment(child);
  pid_t pid = -1;
  int error = posix_spawnp(&pid, arguments[0].c_str(), &actions, nullptr,
                           Pointers(arguments).data(), Pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return absl::ErrnoToStatus(error, absl::StrCat("cannot run ", arguments[0]));
  writer.Reset();

  ChildResult result;
  const bool finished = Collect(child, reader.get(), result.output);
  if (!finished) kill(pid, SIGKILL);
  int state = 0;
  while (waitpid(pid, &state, 0) < 0) {
    if (errno != EINTR) return absl::ErrnoToStatus(errno, "cannot wait for a child process");
  }
  if (!finished) return absl::DeadlineExceededError(absl::StrCat(arguments[0], " was stopped"));
  if (result.output.size() > kMaxOutput) result.output.erase(0, result.output.size() - kMaxOutput);
  result.exit_code = WIFSIGNALED(state) ? 128 + WTERMSIG(state) : WEXITSTATUS(state);
  return result;
}

}  // namespace weft
