// What several passes need to look at and change graphs.
#pragma once

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "ir/module.h"

namespace weft::passes {

// Who uses each value, dead nodes among them until they are dropped. Stands for the module as it
// was when this was made, and for what became of it by Replace and by changes between Forget and
// Note: a pass that made it anew for each change would take time quadratic in the module.
class Uses {
 public:
  explicit Uses(const ir::Module& module);
  // The node that has the value as an operand, if it is used there once and nowhere else; else -1.
  ir::NodeId SoleUser(ir::NodeId id) const { return Count(id) == 1 ? users_[id][0] : -1; }
  // Operand slots and outputs that hold the value.
  int Count(ir::NodeId id) const {
    return static_cast<size_t>(id) < users_.size() ? static_cast<int>(users_[id].size()) : 0;
  }

  // The operands of a node that is about to change, and those of one that is new or has changed.
  void Forget(const ir::Module& module, ir::NodeId id);
  void Note(const ir::Module& module, ir::NodeId id);
  // Every use of `from` as an operand or an output becomes one of `to`.
  void Replace(ir::NodeId from, ir::NodeId to, ir::Module* module);

 private:
  std::vector<std::vector<ir::NodeId>> users_;  // by value, one for each slot; -1: an output
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
