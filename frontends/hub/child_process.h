// Runs a program without a shell and waits for it; it ends where this process, or the thread that
// waits, does.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace weft {

struct ChildProcess {
  std::vector<std::string> arguments;              // arguments[0] is searched in PATH
  std::string folder;                              // working folder of the child
  std::map<std::string, std::string> environment;  // set on top of ours
  std::vector<std::string> hidden;                 // variables of ours that the child does not get
  uint64_t most_memory = 0;                        // bytes of address space; 0: as many as we may
  // Called every `poll_interval` while the child runs; false kills it.
  std::function<bool()> keep_running;
  std::chrono::milliseconds poll_interval{100};
};

struct ChildResult {
  int exit_code = 0;   // 128 + signal number if a signal ended it
  std::string output;  // the last 4 kB of standard output and standard error together
};

// NotFound if there is no such program; DeadlineExceeded if `keep_running` ended it.
absl::StatusOr<ChildResult> RunChild(const ChildProcess& child);

}  // namespace weft
