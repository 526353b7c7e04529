#include "tools/module_diff.h"

#include <algorithm>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "ir/text.h"
#include "tools/text_diff.h"

namespace weft::tools {
namespace {

using ir::Module;
using ir::Node;
using ir::NodeId;

// Equal texts, equal numbers.
class Numbering {
 public:
  int Of(const std::string& text) {
    const int next = static_cast<int>(numbers_.size());
    return numbers_.try_emplace(text, next).first->second;
  }

 private:
  absl::flat_hash_map<std::string, int> numbers_;
};

// All of a node but which values it uses.
std::string TextWithoutValues(const Node& node) {
  Node alone = node;
  alone.operands.clear();
  Module module;
  const NodeId id = module.Append(std::move(alone));
  return ir::PrintNode(module, id);
}

std::string OpAndLocation(const Node& node) {
  return absl::StrCat(ir::Name(node.op), "@", node.location);
}

class Matcher {
 public:
  Matcher(const Module& before, const Module& after)
      : before_(before), after_(after), numbers_(after.id_bound(), -1) {}

  // By id of `after`: the number to print.
  std::vector<NodeId> Numbers() {
    taken_.assign(before_.order().size(), false);
    InOrder();
    Anywhere(TextWithoutValues);
    Anywhere(OpAndLocation);
    auto next = static_cast<NodeId>(before_.order().size());
    for (const NodeId id : after_.order()) {
      if (numbers_[id] < 0) numbers_[id] = next++;
    }
    return std::move(numbers_);
  }

 private:
  void Match(size_t place_before, NodeId id_after) {
    taken_[place_before] = true;
    numbers_[id_after] = static_cast<NodeId>(place_before);
  }

  // What stayed as it was and where it was.
  void InOrder() {
    Numbering texts;
    const auto keys = [&texts](const Module& module) {
      std::vector<int> result;
      for (const NodeId id : module.order())
        result.push_back(texts.Of(TextWithoutValues(module.node(id))));
      return result;
    };
    const std::vector<int> keys_before = keys(before_);
    for (const auto& [x, y] : CommonSubsequence(keys_before, keys(after_)))
      Match(x, after_.order()[y]);
  }

  // What moved or changed: of the nodes left over, those with equal keys, the first with the first.
  void Anywhere(std::string (*key)(const Node&)) {
    absl::flat_hash_map<std::string, std::vector<size_t>> places;  // the first one last
    for (size_t i = before_.order().size(); i-- > 0;) {
      if (!taken_[i]) places[key(before_.node(before_.order()[i]))].push_back(i);
    }
    for (const NodeId id : after_.order()) {
      if (numbers_[id] >= 0) continue;
      const auto found = places.find(key(after_.node(id)));
      if (found == places.end() || found->second.empty()) continue;
      Match(found->second.back(), id);
      found->second.pop_back();
    }
  }

  const Module& before_;
  const Module& after_;
  std::vector<bool> taken_;      // by place in `before`
  std::vector<NodeId> numbers_;  // by id of `after`; -1: none yet
};

}  // namespace

std::string DiffModules(absl::string_view name_before, const Module& before,
                        absl::string_view name_after, const Module& after) {
  return UnifiedDiff(name_before, ir::Print(before), name_after,
                     ir::PrintNumbered(after, Matcher(before, after).Numbers()));
}

}  // namespace weft::tools
