#include "passes/fuse_epilogue.h"

#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "passes/layout.h"
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

// The matmul of which `gated` takes one half of the columns as gate and the other as up, if nothing
// else uses it and its weights can be packed panel by panel in turn; else -1.
NodeId GateAndUp(const Module& module, const Uses& uses,
                 const absl::flat_hash_map<std::string, int>& weight_uses, NodeId gated) {
  const Node& gate = module.node(module.node(gated).operands[0]);
  const Node& up = module.node(module.node(gated).operands[1]);
  if (gate.op != Op::kSlice || up.op != Op::kSlice || gate.operands != up.operands ||
      gate.Int(Attr::kBegin) == up.Int(Attr::kBegin)) {
    return -1;
  }
  for (NodeId slice : module.node(gated).operands) {
    if (uses.SoleUser(slice) != gated) return -1;
  }
  const NodeId id = gate.operands[0];
  const Node& matmul = module.node(id);
  const int64_t width = module.node(gated).type.last().value();
  if (matmul.op != Op::kMatmul || uses.Count(id) != 2 || matmul.operands.size() != 3 ||
      matmul.Int(Attr::kWeights, 1) != 2 || matmul.Has(Attr::kEpilogue) ||
      width % kPanelRows != 0) {
    return -1;
  }
  std::string format;
  for (const size_t place : {1, 2}) {
    const Node& half = module.node(matmul.operands[place]);
    if (!IsConstant(half) || half.type.dims[0] != ir::Dim(width)) return -1;
    for (NodeId source : SourceWeights(module, matmul.operands[place])) {
      const Node& weight = module.node(source);
      const std::string own = weight.Has(Attr::kFormat) ? weight.String(Attr::kFormat) : "";
      if (format.empty()) format = own;
      // A second user would need the weight in another layout, so a second copy.
      if (own != format || weight_uses.at(WeightKey(weight)) > 1) return -1;
    }
  }
  // Two slices that start apart, of half the columns each: both are whole halves.
  if (gate.Int(Attr::kBegin) % width != 0 || up.Int(Attr::kBegin) % width != 0) return -1;
  return id;
}

// The gated_activate becomes the matmul, which is then dead.
void AbsorbGate(Module* module, NodeId matmul, NodeId gated) {
  Node& old = module->node(matmul);
  const Node& user = module->node(gated);
  Node fused = old;
  fused.type = user.type;
  fused.Set(Attr::kEpilogue,
            std::vector<std::string>{absl::StrCat("gated_", user.String(Attr::kFn))});
  if (module->node(user.operands[0]).Int(Attr::kBegin) != 0)
    std::swap(fused.operands[1], fused.operands[2]);
  module->node(gated) = std::move(fused);
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
  const Uses uses(*module);
  const auto weight_uses = CountWeightUses(*module);
  for (NodeId id : order) {
    if (module->node(id).op != Op::kGatedActivate) continue;
    const NodeId matmul = GateAndUp(*module, uses, weight_uses, id);
    if (matmul < 0) continue;
    AbsorbGate(module, matmul, id);
    *changed = true;
  }
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
