#include "passes/fuse_gate_up.h"

#include "passes/projections.h"

namespace weft::passes {
namespace {

using ir::Attr;
using ir::Module;
using ir::Node;
using ir::NodeId;
using ir::Op;

// Makes the projections of gate and up one, if they are of one input.
absl::Status JoinGateUp(NodeId gate, NodeId up, Module* module, bool* joined) {
  if (CutFusedWeight({gate, up}, {"gate", "up"}, module)) {
    *joined = true;
    return absl::OkStatus();
  }
  const Uses uses(*module);
  const auto gate_found = FindProjection(*module, uses, gate);
  const auto up_found = FindProjection(*module, uses, up);
  if (!gate_found || !up_found) return absl::OkStatus();
  const std::vector<Projection> projections = {*gate_found, *up_found};
  if (!CanJoin(projections, *module)) return absl::OkStatus();
  *joined = true;
  return JoinProjections(projections, module);
}

absl::Status FuseOne(NodeId product, Module* module, bool* changed) {
  const Uses uses(*module);
  for (const size_t side : {0, 1}) {
    const Node& mul = module->node(product);
    const NodeId activated = mul.operands[side];
    const NodeId up = mul.operands[1 - side];
    const Node& activate = module->node(activated);
    if (activate.op != Op::kActivate || uses.SoleUser(activated) != product ||
        module->node(up).type != mul.type) {
      continue;
    }
    bool joined = false;
    if (absl::Status status = JoinGateUp(activate.operands[0], up, module, &joined); !status.ok())
      return status;
    if (!joined) continue;
    *changed = true;
    Node& fused = module->node(product);
    const Node& fn = module->node(activated);
    fused.op = Op::kGatedActivate;
    fused.Set(Attr::kFn, fn.String(Attr::kFn));
    fused.operands = {fn.operands[0], fused.operands[1 - side]};
    break;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status FuseGateUp(Module* module, const PassOptions& /*options*/, bool* changed) {
  const std::vector<NodeId> order = module->order();
  for (NodeId id : order) {
    if (module->node(id).op != Op::kMul) continue;
    if (absl::Status status = FuseOne(id, module, changed); !status.ok()) return status;
  }
  if (*changed) SortAndCompact(module);
  return absl::OkStatus();
}

}  // namespace weft::passes
