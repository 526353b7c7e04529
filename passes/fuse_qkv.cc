#include "passes/fuse_qkv.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "passes/projections.h"
#include "passes/remark.h"

namespace weft::passes {
namespace {

using ir::Module;
using ir::NodeId;
using ir::Op;

// Of the projections that there are.
void Refuse(const PassOptions& options, const Module& module,
            absl::Span<const Projection> projections, absl::string_view why) {
  for (const Projection& projection : projections)
    SayOfMatmul(options, module, projection.matmul, /*done=*/false, why);
}

absl::Status FuseOne(NodeId attention, const PassOptions& options, Module* module, Uses* uses,
                     bool* changed) {
  const ir::Node& node = module->node(attention);
  const ir::Node& append = module->node(node.operands[1]);
  if (append.op != Op::kKvAppend) return absl::OkStatus();
  const NodeId q = BehindHeads(*module, node.operands[0]);
  const NodeId k = BehindHeads(*module, append.operands[0]);
  const NodeId v = BehindHeads(*module, append.operands[1]);
  std::vector<Projection> projections;
  std::vector<absl::string_view> missing;
  for (const auto& [value, name] : {std::pair(q, "q"), std::pair(k, "k"), std::pair(v, "v")}) {
    if (const auto found = FindProjection(*module, *uses, value)) {
      projections.push_back(*found);
    } else {
      missing.emplace_back(name);
    }
  }
  if (!missing.empty()) {
    Refuse(options, *module, projections,
           absl::StrCat("not joined: ", absl::StrJoin(missing, " and "),
                        " of its attention is no plain matmul by a weight"));
    return absl::OkStatus();
  }
  if (!CanJoin(projections, *module)) {
    Refuse(options, *module, projections,
           "not joined: q, k and v of its attention are not three matmuls of one input");
    return absl::OkStatus();
  }
  for (const Projection& projection : projections) {
    SayOfMatmul(options, *module, projection.matmul, /*done=*/true,
                absl::StrCat("one matmul for q, k and v: ", LocationsOf(projections, *module)));
  }
  *changed = true;
  return JoinProjections(projections, module, uses);
}

}  // namespace

absl::Status FuseQkv(Module* module, const PassOptions& options, bool* changed) {
  const std::vector<NodeId> order = module->order();
  Uses uses(*module);
  for (NodeId id : order) {
    if (module->node(id).op != Op::kAttention) continue;
    if (absl::Status status = FuseOne(id, options, module, &uses, changed); !status.ok())
      return status;
  }
  if (*changed) SortAndCompact(module);
  return absl::OkStatus();
}

}  // namespace weft::passes
