// Everything that was decided about one weight, with the reasons: what `weft why` prints.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "codegen/target.h"
#include "ir/module.h"
#include "passes/remark.h"
#include "runtime/abi/program.h"
#include "runtime/base/cpu.h"
#include "runtime/profile.h"
#include "tools/roofs.h"

namespace weft::tools {

// What a short run of the program took, beside what this machine can do.
struct WhyTimes {
  Roofs roofs;
  Profile decode;   // runs of one token
  Profile prefill;  // of `prefill_tokens` together
  int64_t prefill_tokens = 0;
};

struct WhyFacts {
  ir::Module module;  // as the last pass left it
  Program program;
  std::vector<std::string> files;                      // names, by SourceTensor::file
  std::optional<std::vector<passes::Remark>> remarks;  // nothing where they are not to be had
  std::vector<codegen::Target> targets;                // that there is code for
  size_t chosen = 0;                                   // of them, the one that runs here
  CpuFeatures cpu;                                     // of this machine
  int threads = 1;
  std::optional<WhyTimes> times;
};

// {"targets": […], "threads", "roof": {…}, "weights": […]}, of the weights whose tensor or location
// matches the glob `pattern` (fnmatch(3); ".weight" at the end may be left out). An error that
// shows what names look like where none does. Bytes, µs, and 10⁹ a second.
absl::StatusOr<nlohmann::ordered_json> WhyJson(const WhyFacts& facts, const std::string& pattern);

// The same for people.
std::string WhyText(const nlohmann::ordered_json& json);

}  // namespace weft::tools
