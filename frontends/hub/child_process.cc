#include "frontends/hub/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
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
  for (const auto& [name, value] : child.environment)
    lines.push_back(absl::StrCat(name, "=", value));
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

// The child's part of RunChild: becomes the program, or writes errno to `fails`. After fork() in a
// process with threads, it calls only what allocates nothing.
[[noreturn]] void Become(const ChildProcess& child, pid_t parent, int output,
                         const std::vector<char*>& argv, const std::vector<char*>& envp,
                         int fails) {
  // However this process ends, nobody is left who would use what the program does. 0: a parent
  // outside of the child's PID namespace.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (const pid_t now = getppid(); now != parent && now != 0) _exit(1);
  if (rlimit limit; child.most_memory > 0 && getrlimit(RLIMIT_AS, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max = std::min<rlim_t>(limit.rlim_cur, child.most_memory);
    setrlimit(RLIMIT_AS, &limit);
  }
  const int input = open("/dev/null", O_RDONLY);
  if (input >= 0 && dup2(input, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0 &&
      dup2(output, STDERR_FILENO) >= 0 &&
      (child.folder.empty() || chdir(child.folder.c_str()) == 0)) {
    if (input > STDERR_FILENO) close(input);
    execvpe(argv[0], argv.data(), envp.data());
  }
  const int error = errno;
  (void)!write(fails, &error, sizeof(error));
  _exit(1);
}

}  // namespace

absl::StatusOr<ChildResult> RunChild(const ChildProcess& child) {
  std::array<int, 2> ends;
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "cannot open a pipe");
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  std::array<int, 2> failures;
  if (pipe2(failures.data(), O_CLOEXEC) != 0)
    return absl::ErrnoToStatus(errno, "cannot open a pipe");
  UniqueFd failed(failures[0]);
  UniqueFd fails(failures[1]);
  std::vector<std::string> arguments = child.arguments;
  std::vector<std::string> environment = ChildEnvironment(child);
  const std::vector<char*> argv = Pointers(arguments);
  const std::vector<char*> envp = Pointers(environment);
  // Not posix_spawn, which cannot say that the child is to end with this process.
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot run ", arguments[0]));
  if (pid == 0) Become(child, parent, writer.get(), argv, envp, fails.get());
  fails.Reset();
  int error = 0;
  ssize_t got = -1;
  do {
    got = read(failed.get(), &error, sizeof(error));
  } while (got < 0 && errno == EINTR);
  if (got == sizeof(error)) {
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return absl::ErrnoToStatus(error, absl::StrCat("cannot run ", arguments[0]));
  }
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
