// A module as a graph that people can read, in Graphviz' language: what is computed from what.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "ir/module.h"

namespace weft::tools {

// For DotGraph, instead of a layer.
inline constexpr int64_t kFirstLayer = -1;
inline constexpr int64_t kAllLayers = -2;

// A node per op and an edge per value, labelled with its type. Weights and tables stand in the
// labels of what uses them, columns that are cut out on edges. One layer is shown as a cluster; the
// others as a node for each run of layers that are alike, which says in what they differ from the
// one shown. `expanded` is that layer, or one of the above; a layer that the module does not have
// is an error. For `dot -Tsvg`. Of a verified module.
absl::StatusOr<std::string> DotGraph(const ir::Module& module, int64_t expanded = kFirstLayer);

}  // namespace weft::tools
