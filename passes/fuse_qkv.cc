#include "passes/fuse_qkv.h"

#include "passes/projections.h"

namespace weft::passes {
namespace {

using ir::Module;
using ir::NodeId;
using ir::Op;

// Through what may stand between a projection and attention. All of it works on each head or
// element by itself, so that a slice in front of it is as good as a matmul.
NodeId Projected(const Module& module, NodeId id) {
  while (true) {
    const ir::Node& node = module.node(id);
    if (node.op != Op::kRope && node.op != Op::kRmsNorm && node.op != Op::kScale) return id;
    id = node.operands[0];
  }
}

absl::Status FuseOne(NodeId attention, Module* module, bool* changed) {
  const ir::Node& node = module->node(attention);
  const ir::Node& append = module->node(node.operands[1]);
  if (append.op != Op::kKvAppend) return absl::OkStatus();
  const NodeId q = Projected(*module, node.operands[0]);
  const NodeId k = Projected(*module, append.operands[0]);
  const NodeId v = Projected(*module, append.operands[1]);
  if (CutFusedWeight({q, k, v}, {"q", "k", "v"}, module)) {
    *changed = true;
    return absl::OkStatus();
  }
  const Uses uses(*module);
  std::vector<Projection> projections;
  for (NodeId value : {q, k, v}) {
    if (const auto found = FindProjection(*module, uses, value)) projections.push_back(*found);
  }
  if (projections.size() != 3 || !CanJoin(projections, *module)) return absl::OkStatus();
  *changed = true;
  return JoinProjections(projections, module);
}

}  // namespace

absl::Status FuseQkv(Module* module, const PassOptions& /*options*/, bool* changed) {
  const std::vector<NodeId> order = module->order();
  for (NodeId id : order) {
    if (module->node(id).op != Op::kAttention) continue;
    if (absl::Status status = FuseOne(id, module, changed); !status.ok()) return status;
  }
  if (*changed) SortAndCompact(module);
  return absl::OkStatus();
}

}  // namespace weft::passes
