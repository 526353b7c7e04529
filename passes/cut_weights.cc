#include "passes/cut_weights.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "passes/projections.h"
#include "passes/remark.h"
#include "passes/rewrite.h"

namespace weft::passes {
namespace {

using ir::Attr;
using ir::Module;
using ir::Node;
using ir::NodeId;
using ir::Op;
using Names = absl::Span<const absl::string_view>;

// The slices in the order of their columns, where these follow each other without a gap and cover
// all `width`; else empty.
std::vector<size_t> ByColumn(const Module& module, absl::Span<const NodeId> slices, int64_t width) {
  std::vector<size_t> order(slices.size());
  for (size_t i = 0; i < slices.size(); ++i) order[i] = i;
  std::ranges::sort(order, {}, [&](size_t i) { return module.node(slices[i]).Int(Attr::kBegin); });
  int64_t covered = 0;
  for (size_t i : order) {
    if (module.node(slices[i]).Int(Attr::kBegin) != covered) return {};
    covered = module.node(slices[i]).Int(Attr::kEnd);
  }
  return covered == width ? order : std::vector<size_t>();
}

// Where `slices` cut all columns of one projection by one `weight` that nothing else uses: cuts
// that into one `weight` for each slice, with its name behind its location.
void Cut(absl::Span<const NodeId> slices, Names names, const PassOptions& options, Module* module,
         Uses* uses, bool* changed) {
  const NodeId result = SlicedProjection(*module, *uses, slices);
  if (result < 0) return;
  const NodeId matmul_id = FindProjection(*module, *uses, result)->matmul;
  const NodeId whole_id = module->node(matmul_id).operands[1];
  if (module->node(whole_id).op != Op::kWeight || uses->Count(whole_id) != 1) return;
  const std::vector<size_t> order =
      ByColumn(*module, slices, module->node(matmul_id).type.last().value());
  if (order.empty()) return;

  const Node whole = module->node(whole_id);
  const int64_t first_row = whole.Has(Attr::kRows) ? whole.Ints(Attr::kRows)[0] : 0;
  std::vector<NodeId> operands = {module->node(matmul_id).operands[0]};
  for (size_t i : order) {
    const int64_t begin = module->node(slices[i]).Int(Attr::kBegin);
    const int64_t end = module->node(slices[i]).Int(Attr::kEnd);
    Node part = whole;
    part.Set(Attr::kRows, std::vector<int64_t>{first_row + begin, first_row + end});
    part.type.dims[0] = end - begin;
    absl::StrAppend(&part.location, part.location.empty() ? "" : ".", names[i]);
    operands.push_back(module->InsertBefore(matmul_id, std::move(part)));
  }
  uses->Forget(*module, matmul_id);
  Node& matmul = module->node(matmul_id);
  matmul.operands = std::move(operands);
  uses->Note(*module, matmul_id);
  matmul.Set(Attr::kWeights, static_cast<int64_t>(slices.size()));
  SayOfMatmul(options, *module, matmul_id, /*done=*/true,
              absl::StrCat("arrives as one matrix of ", absl::StrJoin(names, ", "),
                           ": cut, each judged by itself, and still one matmul"));
  *changed = true;
}

}  // namespace

absl::Status CutWeights(Module* module, const PassOptions& options, bool* changed) {
  const std::vector<NodeId> order = module->order();
  Uses uses(*module);
  for (NodeId id : order) {
    const Node& node = module->node(id);
    if (node.op == Op::kAttention) {
      const Node& append = module->node(node.operands[1]);
      if (append.op != Op::kKvAppend) continue;
      Cut({BehindHeads(*module, node.operands[0]), BehindHeads(*module, append.operands[0]),
           BehindHeads(*module, append.operands[1])},
          {"q", "k", "v"}, options, module, &uses, changed);
    } else if (node.op == Op::kGatedActivate) {
      Cut({node.operands[0], node.operands[1]}, {"gate", "up"}, options, module, &uses, changed);
    } else if (node.op == Op::kMul) {
      for (const size_t side : {0, 1}) {
        const Node& activate = module->node(module->node(id).operands[side]);
        if (activate.op != Op::kActivate) continue;
        Cut({activate.operands[0], module->node(id).operands[1 - side]}, {"gate", "up"}, options,
            module, &uses, changed);
      }
    }
  }
  // What was cut is dead, in front of its parts.
  if (*changed) module->Compact();
  return absl::OkStatus();
}

}  // namespace weft::passes
