// Work in a process of its own, which may crash or hang.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "tests/graphs/graph_case.h"

namespace weft::graphs {

struct ForkedResult {
  std::string output;  // what `work` wrote
  std::string death;   // "signal 11 (Segmentation fault)"; empty: it came to its end
};

// Runs `work` in a child, with a file descriptor to write to. The caller must have no threads.
ForkedResult RunForked(const std::function<void(int fd)>& work);
void WriteAll(int fd, const std::string& text);

// Checks the case in a child; where that dies the error is "crash: …". A check that takes longer
// than ten minutes counts as hung: it takes a tenth of a second, and minutes under sanitizers.
absl::Status CheckForked(const GraphCase& graph_case);
// For each graph that a child works on.
inline constexpr unsigned kHangSeconds = 600;

}  // namespace weft::graphs
