#include "passes/fuse_gate_up.h"

#include "absl/strings/str_cat.h"
#include "passes/projections.h"
#include "passes/remark.h"

namespace weft::passes {
namespace {

using ir::Attr;
using ir::Module;
using ir::Node;
using ir::NodeId;
using ir::Op;

void Refuse(const PassOptions& options, const Module& module,
            absl::Span<const Projection> projections, absl::string_view why) {
  for (const Projection& projection : projections)
    SayOfMatmul(options, module, projection.matmul, /*done=*/false,
                absl::StrCat("not joined: ", why));
}

// Whether the value is a matmul's, or that plus a bias.
bool IsOfOneMatmul(const Module& module, NodeId value) {
  const Node& node = module.node(value);
  if (node.op == Op::kMatmul) return true;
  return node.op == Op::kAdd && module.node(node.operands[0]).op == Op::kMatmul &&
         module.node(node.operands[1]).type.rank() == 1;
}

// Makes the projections of gate and up one, if they are of one input.
absl::Status JoinGateUp(NodeId gate, NodeId up, const PassOptions& options, Module* module,
                        Uses* uses, bool* joined) {
  // One matmul as it is.
  if (const auto& of = module->node(gate).operands;
      module->node(gate).op == Op::kSlice && module->node(up).op == Op::kSlice && gate != up &&
      module->node(up).operands == of && IsOfOneMatmul(*module, of[0])) {
    *joined = true;
    return absl::OkStatus();
  }
  const auto gate_found = FindProjection(*module, *uses, gate);
  const auto up_found = FindProjection(*module, *uses, up);
  if (!gate_found || !up_found) {
    if (gate_found) Refuse(options, *module, {*gate_found}, "up is no plain matmul by a weight");
    if (up_found) Refuse(options, *module, {*up_found}, "gate is no plain matmul by a weight");
    return absl::OkStatus();
  }
  const std::vector<Projection> projections = {*gate_found, *up_found};
  if (!CanJoin(projections, *module)) {
    Refuse(options, *module, projections, "gate and up are not two matmuls of one input");
    return absl::OkStatus();
  }
  for (const Projection& projection : projections) {
    SayOfMatmul(options, *module, projection.matmul, /*done=*/true,
                absl::StrCat("one matmul for gate and up: ", LocationsOf(projections, *module)));
  }
  *joined = true;
  return JoinProjections(projections, module, uses);
}

absl::Status FuseOne(NodeId product, const PassOptions& options, Module* module, Uses* uses,
                     bool* changed) {
  for (const size_t side : {0, 1}) {
    const Node& mul = module->node(product);
    const NodeId activated = mul.operands[side];
    const NodeId up = mul.operands[1 - side];
    const Node& activate = module->node(activated);
    if (activate.op != Op::kActivate || module->node(up).type != mul.type) continue;
    if (uses->SoleUser(activated) != product) {
      for (const NodeId value : {activate.operands[0], up}) {
        if (const auto found = FindProjection(*module, *uses, value))
          Refuse(options, *module, {*found}, "the activated gate is used elsewhere as well");
      }
      continue;
    }
    bool joined = false;
    if (absl::Status status = JoinGateUp(activate.operands[0], up, options, module, uses, &joined);
        !status.ok())
      return status;
    if (!joined) continue;
    *changed = true;
    uses->Forget(*module, product);
    Node& fused = module->node(product);
    const Node& fn = module->node(activated);
    fused.op = Op::kGatedActivate;
    fused.Set(Attr::kFn, fn.String(Attr::kFn));
    fused.operands = {fn.operands[0], fused.operands[1 - side]};
    uses->Note(*module, product);
    break;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status FuseGateUp(Module* module, const PassOptions& options, bool* changed) {
  const std::vector<NodeId> order = module->order();
  Uses uses(*module);
  for (NodeId id : order) {
    if (module->node(id).op != Op::kMul) continue;
    if (absl::Status status = FuseOne(id, options, module, &uses, changed); !status.ok())
      return status;
  }
  if (*changed) SortAndCompact(module);
  return absl::OkStatus();
}

}  // namespace weft::passes
