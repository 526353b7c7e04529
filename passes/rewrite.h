// What several passes need to look at and change graphs.
#pragma once

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "ir/module.h"

namespace weft::passes {

// Who uses each value. Stands for the module as it was when this was made.
class Uses {
 public:
  explicit Uses(const ir::Module& module);
  // The node that has the value as an operand, if it is used there once and nowhere else; else -1.
  ir::NodeId SoleUser(ir::NodeId id) const { return slots_[id] == 1 ? user_[id] : -1; }
  // Operand slots and outputs that hold the value.
  int Count(ir::NodeId id) const { return slots_[id]; }

 private:
  std::vector<int> slots_;
  std::vector<ir::NodeId> user_;  // the last one in program order; -1: an output
};

// Puts operands before their users, moving nodes up and only as far as needed; then drops dead
// nodes and renumbers.
void SortAndCompact(ir::Module* module);

// Whether the module already is as Compact leaves it.
bool IsCompact(const ir::Module& module);

// A weight, or weights end to end.
bool IsConstant(const ir::Node& node);
// The `weight` nodes of a weight or a (nested) concat, in order.
std::vector<ir::NodeId> SourceWeights(const ir::Module& module, ir::NodeId id);
// Tells which values a `weight` node holds: same key, same values.
std::string WeightKey(const ir::Node& weight);
// How often steps use the weights, by key.
absl::flat_hash_map<std::string, int> CountWeightUses(const ir::Module& module);

// {"a.q_proj", "a.k_proj"} → "a.{q,k}_proj"; common parts end at '.', '_' or '/'.
std::string JoinLocations(absl::Span<const std::string> locations);

}  // namespace weft::passes
