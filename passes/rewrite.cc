#include "passes/rewrite.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace weft::passes {

using ir::Attr;
using ir::Module;
using ir::Node;
using ir::NodeId;
using ir::Op;

Uses::Uses(const Module& module) : users_(module.id_bound()) {
  for (NodeId id : module.order()) Note(module, id);
  for (NodeId id : module.outputs) users_[id].push_back(-1);
}

void Uses::Forget(const Module& module, NodeId id) {
  for (NodeId operand : module.node(id).operands) {
    std::vector<NodeId>& users = users_[operand];
    users.erase(std::ranges::find(users, id));
  }
}

void Uses::Note(const Module& module, NodeId id) {
  users_.resize(std::max<size_t>(users_.size(), module.id_bound()));
  for (NodeId operand : module.node(id).operands) users_[operand].push_back(id);
}

void Uses::Replace(NodeId from, NodeId to, Module* module) {
  users_.resize(std::max<size_t>(users_.size(), module->id_bound()));
  for (NodeId user : users_[from]) {
    std::ranges::replace(user < 0 ? module->outputs : module->node(user).operands, from, to);
    users_[to].push_back(user);
  }
  users_[from].clear();
}

void SortAndCompact(Module* module) {
  std::vector<NodeId> order;
  std::vector<bool> placed(module->id_bound(), false);
  // Depth first with a stack of its own: chains of operands can be as long as a module.
  struct Frame {
    NodeId id;
    size_t next;
  };
  std::vector<Frame> stack;
  for (NodeId root : module->order()) {
    if (!placed[root]) stack.push_back({root, 0});
    while (!stack.empty()) {
      Frame& frame = stack.back();
      const auto& operands = module->node(frame.id).operands;
      if (frame.next < operands.size()) {
        const NodeId operand = operands[frame.next++];
        if (!placed[operand]) stack.push_back({operand, 0});
        continue;
      }
      if (!placed[frame.id]) order.push_back(frame.id);
      placed[frame.id] = true;
      stack.pop_back();
    }
  }
  module->SetOrder(std::move(order));
  module->Compact();
}

bool IsCompact(const Module& module) {
  const auto& order = module.order();
  if (static_cast<size_t>(module.id_bound()) != order.size()) return false;
  std::vector<bool> live(order.size(), false);
  for (NodeId id : module.outputs) live[id] = true;
  for (size_t i = order.size(); i-- > 0;) {
    if (order[i] != static_cast<NodeId>(i) || !live[i]) return false;
    for (NodeId operand : module.node(order[i]).operands) live[operand] = true;
  }
  return true;
}

bool IsConstant(const Node& node) { return node.op == Op::kWeight || node.op == Op::kConcat; }

std::vector<NodeId> SourceWeights(const Module& module, NodeId id) {
  std::vector<NodeId> weights;
  std::vector<NodeId> stack = {id};
  while (!stack.empty()) {
    const NodeId top = stack.back();
    stack.pop_back();
    const Node& node = module.node(top);
    if (node.op == Op::kWeight) weights.push_back(top);
    if (node.op == Op::kConcat)
      stack.insert(stack.end(), node.operands.rbegin(), node.operands.rend());
  }
  return weights;
}

std::string WeightKey(const Node& weight) {
  return absl::StrCat(weight.String(Attr::kTensor), "\n",
                      absl::StrJoin(weight.Ints(Attr::kRows), ","),
                      weight.Bool(Attr::kTransposed) ? " transposed" : "");
}

absl::flat_hash_map<std::string, int> CountWeightUses(const Module& module) {
  absl::flat_hash_map<std::string, int> uses;
  for (NodeId id : module.order()) {
    if (IsConstant(module.node(id)) || module.node(id).op == Op::kPack) continue;
    for (NodeId operand : module.node(id).operands) {
      for (NodeId weight : SourceWeights(module, operand)) ++uses[WeightKey(module.node(weight))];
    }
  }
  return uses;
}

std::string JoinLocations(absl::Span<const std::string> locations) {
  const std::string& first = locations.front();
  if (std::ranges::all_of(locations, [&](const std::string& other) { return other == first; }))
    return first;
  constexpr absl::string_view kBreaks = "._/";
  size_t prefix = first.size();
  size_t suffix = first.size();
  for (const std::string& other : locations) {
    size_t same = 0;
    while (same < std::min(prefix, other.size()) && first[same] == other[same]) ++same;
    prefix = same;
    same = 0;
    while (same < std::min(suffix, other.size()) &&
           first[first.size() - same - 1] == other[other.size() - same - 1]) {
      ++same;
    }
    suffix = same;
  }
  while (prefix > 0 && kBreaks.find(first[prefix - 1]) == absl::string_view::npos) --prefix;
  const size_t shortest = std::ranges::min_element(locations, {}, &std::string::size)->size();
  suffix = std::min(suffix, shortest - prefix);
  while (suffix > 0 && kBreaks.find(first[first.size() - suffix]) == absl::string_view::npos)
    --suffix;
  return absl::StrCat(
      first.substr(0, prefix), "{",
      absl::StrJoin(locations, ",",
                    [&](std::string* out, const std::string& location) {
                      absl::StrAppend(out,
                                      location.substr(prefix, location.size() - prefix - suffix));
                    }),
      "}", first.substr(first.size() - suffix));
}

}  // namespace weft::passes
