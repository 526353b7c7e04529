// What passes say about weights: what they did with one, or why they did not.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "ir/module.h"

namespace weft::passes {

struct PassOptions;

struct Remark {
  std::string pass;           // filled in by the pass manager
  bool done = false;          // else: considered, and refused for the reason that the text gives
  std::string tensor;         // empty: the remark is about all weights
  std::vector<int64_t> rows;  // those that the weight has of it, as its attribute; empty: all
  std::string text;           // "one matmul with k_proj and v_proj"
  bool operator==(const Remark&) const = default;
};

// To options.remark, where it is set: a remark on each weight of a weight, concat or pack.
void Say(const PassOptions& options, const ir::Module& module, ir::NodeId constant, bool done,
         absl::string_view text);

// To options.remark, where it is set: a remark on each weight of a matmul.
void SayOfMatmul(const PassOptions& options, const ir::Module& module, ir::NodeId matmul, bool done,
                 absl::string_view text);

}  // namespace weft::passes
