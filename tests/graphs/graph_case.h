// One differential test: a graph, what it is compiled with, and the ways to run it that must agree.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "codegen/target.h"
#include "ir/module.h"
#include "passes/options.h"
#include "tests/graphs/palette.h"

namespace weft::graphs {

// One way to compile and run it.
struct Variant {
  codegen::Tier tier = codegen::Tier::kAvx2;
  std::vector<std::string> disabled;  // optional passes
  int threads = 1;
  int64_t chunk = 1;    // of the prompt
  bool poison = false;  // under the checking executor
  bool plan = false;    // by way of a plan file
};

struct GraphCase {
  ir::Module module;
  uint64_t weights_seed = 0;
  std::vector<int32_t> tokens;
  passes::PassOptions options;
  std::vector<Variant> variants;
};

// The options line by line, then the module's text. What Print gives, Parse takes; lines that begin
// with # are left out, and so is what stands after the module.
std::string Print(const GraphCase& graph_case);
absl::StatusOr<GraphCase> ParseCase(absl::string_view text);

// The optional passes, in the order of the pipeline. Subset i of them has those whose bit is set.
std::vector<std::string> OptionalPasses();
std::vector<std::string> SubsetOfPasses(uint64_t bits);

// The target for a tier: itself where this machine executes it, else emulated.
codegen::Target TargetOf(codegen::Tier tier);
std::vector<codegen::Tier> AllTiers();
std::string TierName(codegen::Tier tier);

// The graph, its options and `variants` ways to run it, all from the seed. `rejected`, where not
// null, grows by the graphs that were thrown away because values overflowed.
GraphCase RandomCase(const Palette& palette, uint64_t seed, int variants, int64_t* rejected);

}  // namespace weft::graphs
