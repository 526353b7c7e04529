#include "tests/graphs/forked.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "runtime/abi/check.h"
#include "tests/graphs/case_check.h"

namespace weft::graphs {
namespace {

// What a child writes last: one that ends well, but early, has not done its work.
constexpr std::string_view kDone = "\nall done\n";

}  // namespace

void WriteAll(int fd, const std::string& text) {
  for (size_t done = 0; done < text.size();) {
    const ssize_t count = write(fd, text.data() + done, text.size() - done);
    WEFT_CHECK(count > 0);
    done += static_cast<size_t>(count);
  }
}

ForkedResult RunForked(const std::function<void(int fd)>& work) {
  int ends[2];
  WEFT_CHECK(pipe(ends) == 0);
  fflush(stdout);  // lest the child prints it as well
  const pid_t child = fork();
  WEFT_CHECK(child >= 0);
  if (child == 0) {
    close(ends[0]);
    alarm(kHangSeconds);
    work(ends[1]);
    WriteAll(ends[1], std::string(kDone));
    _exit(0);
  }
  close(ends[1]);
  ForkedResult result;
  char buffer[4096];
  for (ssize_t count = 0; (count = read(ends[0], buffer, sizeof(buffer))) > 0;)
    result.output.append(buffer, static_cast<size_t>(count));
  close(ends[0]);
  int status = 0;
  WEFT_CHECK(waitpid(child, &status, 0) == child);
  if (WIFSIGNALED(status)) {
    result.death =
        absl::StrCat("signal ", WTERMSIG(status), " (", strsignal(WTERMSIG(status)), ")");
  } else if (WEXITSTATUS(status) != 0) {  // of a sanitizer
    result.death = absl::StrCat("exit status ", WEXITSTATUS(status));
  } else if (!result.output.ends_with(kDone)) {
    result.death = "exit before its end";
  }
  if (result.death.empty()) result.output.resize(result.output.size() - kDone.size());
  return result;
}

absl::Status CheckForked(const GraphCase& graph_case) {
  const ForkedResult result = RunForked([&](int fd) {
    const absl::Status status = CaseChecker().Check(graph_case);
    WriteAll(fd, std::string(status.message()));
  });
  if (!result.death.empty()) return absl::InternalError(absl::StrCat("crash: ", result.death));
  return result.output.empty() ? absl::OkStatus() : absl::InternalError(result.output);
}

}  // namespace weft::graphs
