#include "passes/canonicalise.h"

#include <numeric>
#include <tuple>
#include <variant>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "passes/rewrite.h"

namespace weft::passes {
namespace {

using ir::Attr;
using ir::Module;
using ir::Node;
using ir::NodeId;
using ir::Op;

// Nodes that are equal have equal keys, and few others do: weights by the thousand have no
// operands, slices the same ones.
using Key = std::tuple<int, std::vector<NodeId>, size_t>;

Key KeyOf(const Node& node) {
  size_t hash = 0;
  for (const auto& [attr, value] : node.attrs) {
    const size_t of_value =
        std::visit([](const auto& content) { return absl::HashOf(content); }, value);
    hash = absl::HashOf(hash, static_cast<int>(attr), of_value);
  }
  return {static_cast<int>(node.op), node.operands, hash};
}

// The value that the node equals, or itself. May change the node into a simpler one.
NodeId Fold(Module* module, NodeId id, bool* changed) {
  Node& node = module->node(id);
  if (node.op == Op::kScale && node.Float(Attr::kValue) == 1.0) return node.operands[0];
  if (node.op != Op::kSlice) return id;
  const Node& source = module->node(node.operands[0]);
  if (node.type == source.type) return node.operands[0];
  if (source.op == Op::kSlice) {
    const int64_t shift = source.Int(Attr::kBegin);
    node.Set(Attr::kBegin, node.Int(Attr::kBegin) + shift);
    node.Set(Attr::kEnd, node.Int(Attr::kEnd) + shift);
    node.operands = source.operands;
    *changed = true;
  }
  return id;
}

}  // namespace

absl::Status Canonicalise(Module* module, const PassOptions& /*options*/, bool* changed) {
  std::vector<NodeId> same_as(module->id_bound());
  std::iota(same_as.begin(), same_as.end(), 0);
  absl::flat_hash_map<Key, std::vector<NodeId>> seen;
  for (NodeId id : module->order()) {
    for (NodeId& operand : module->node(id).operands) operand = same_as[operand];
    same_as[id] = Fold(module, id, changed);
    if (same_as[id] != id) continue;
    const Node& node = module->node(id);
    if (node.op == Op::kKvAppend) continue;  // writes memory: not a value like others
    std::vector<NodeId>& bucket = seen[KeyOf(node)];
    for (NodeId other : bucket) {
      if (module->node(other).attrs == node.attrs) same_as[id] = other;
    }
    if (same_as[id] == id) bucket.push_back(id);
  }
  for (NodeId& id : module->outputs) id = same_as[id];
  if (*changed || !IsCompact(*module)) {
    *changed = true;
    module->Compact();
  }
  return absl::OkStatus();
}

}  // namespace weft::passes
