#include "passes/fuse_epilogue.h"

#include "passes/rewrite.h"

namespace weft::passes {
namespace {

using ir::Attr;
using ir::Module;
using ir::Node;
using ir::NodeId;
using ir::Op;

// How far an epilogue has got; a later step may follow, an earlier one may not.
enum class Stage : uint8_t { kNone, kBias, kActivation, kResidual };

Stage StageOf(const Node& matmul) {
  const auto epilogue = matmul.Strings(Attr::kEpilogue);
  if (epilogue.empty()) return Stage::kNone;
  if (epilogue.back() == "bias") return Stage::kBias;
  return epilogue.back() == "residual" ? Stage::kResidual : Stage::kActivation;
}

struct Step {
  Stage stage = Stage::kNone;  // kNone: the user cannot join
  std::string name;
  NodeId operand = -1;
};

// What `user`, the only one of `matmul`, would be in its epilogue.
Step StepFor(const Module& module, const std::vector<size_t>& place, NodeId matmul,
             const Node& user) {
  if (user.op == Op::kActivate) return {Stage::kActivation, user.String(Attr::kFn), -1};
  if (user.op != Op::kAdd) return {};
  const bool is_first = user.operands[0] == matmul;
  const NodeId other = user.operands[is_first ? 1 : 0];
  if (module.node(other).type.rank() == 1) return {Stage::kBias, "bias", other};
  // Of a sum of two matmuls the later one takes the other as its residual.
  if (place[other] > place[matmul]) return {};
  return {Stage::kResidual, "residual", other};
}

// The user becomes the matmul, so that all operands still stand before it; the old matmul is dead.
void Absorb(Module* module, NodeId matmul, NodeId user, const Step& step) {
  Node& old = module->node(matmul);
  Node fused = old;
  const auto epilogue = old.Strings(Attr::kEpilogue);
  std::vector<std::string> steps(epilogue.begin(), epilogue.end());
  steps.push_back(step.name);
  fused.Set(Attr::kEpilogue, std::move(steps));
  if (step.operand >= 0) fused.operands.push_back(step.operand);
  module->node(user) = std::move(fused);
  old.operands.clear();
}

// Returns the node that took in the user of `id`, or -1.
NodeId FuseOne(Module* module, const std::vector<size_t>& place, NodeId id) {
  const NodeId user_id = Uses(*module).SoleUser(id);
  if (user_id < 0) return -1;
  Node& node = module->node(id);
  Node& user = module->node(user_id);
  if (node.op == Op::kEmbed && user.op == Op::kScale && !node.Has(Attr::kScale)) {
    const double value = user.Float(Attr::kValue);
    user = node;
    user.Set(Attr::kScale, value);
    node.operands.clear();
    return user_id;
  }
  if (node.op != Op::kMatmul) return -1;
  const Step step = StepFor(*module, place, id, user);
  if (step.stage <= StageOf(node)) return -1;
  Absorb(module, id, user_id, step);
  return user_id;
}

}  // namespace

absl::Status FuseEpilogue(Module* module, const PassOptions& /*options*/, bool* changed) {
  const std::vector<NodeId> order = module->order();
  std::vector<size_t> place(module->id_bound(), 0);
  for (size_t i = 0; i < order.size(); ++i) place[order[i]] = i;
  for (NodeId id : order) {
    // Dead ones have lost their operands.
    if (module->node(id).operands.empty()) continue;
    if (module->node(id).op != Op::kMatmul && module->node(id).op != Op::kEmbed) continue;
    for (NodeId next = id; next >= 0; next = FuseOne(module, place, next)) {
      *changed = *changed || next != id;
    }
  }
  if (*changed) module->Compact();
  return absl::OkStatus();
}

}  // namespace weft::passes
