// Everything that must hold of a random graph.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tests/graphs/graph_case.h"
#include "tests/graphs/kernel_cache.h"
#include "tests/graphs/step_check.h"

namespace weft::graphs {

// For the test of the tests: makes what is compiled another thing than what is expected. Null
// changes nothing.
struct Sabotage {
  std::function<void(ir::Module*)> passes;   // the planned module, as a wrong pass would
  std::function<void(ir::Module*)> kernels;  // after it was checked, as a wrong kernel would
};

struct CheckStats {
  int64_t graphs = 0;
  int64_t variants = 0;
  int64_t poisoned = 0;
  int64_t cut = 0;  // graphs of which cut-weights made something
  int64_t plans = 0;
  int64_t lowerings = 0;
  std::map<std::string, StepStats> steps;
  std::map<std::string, int64_t> subsets;  // "avx512-vnni fuse-qkv,schedule"
};

class CaseChecker {
 public:
  explicit CaseChecker(Sabotage sabotage = {}) : sabotage_(std::move(sabotage)) {}

  // What is wrong, beginning with a word for its kind:
  //   text     printing and parsing do not give the same module, at some stage
  //   passes   a pass fails, or leaves an illegal module, or lies about having changed nothing
  //   invalid  the case itself cannot be run: a file of findings, or the generator, is wrong
  //   oracle   a lowered module does not evaluate to the same bits as the graph itself (oracle.h)
  //   compile  a legal module has no code
  //   step     a kernel's result is outside its bounds (step_check.h)
  //   bits     two ways to run it differ
  //   poison   a step touched what it did not declare
  //   plan     by way of a plan file it cannot be run
  absl::Status Check(const GraphCase& graph_case);

  const CheckStats& stats() const { return stats_; }
  const KernelCache& kernels() const { return kernels_; }

 private:
  class Run;

  Sabotage sabotage_;
  KernelCache kernels_;
  CheckStats stats_;
};

}  // namespace weft::graphs
