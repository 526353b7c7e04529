#include "passes/projections.h"

#include <algorithm>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "ir/builder.h"

namespace weft::passes {

using ir::Attr;
using ir::Module;
using ir::Node;
using ir::NodeId;
using ir::Op;

namespace {

bool IsPlainMatmul(const Module& module, NodeId id) {
  const Node& node = module.node(id);
  return node.op == Op::kMatmul && node.operands.size() == 2 &&
         IsConstant(module.node(node.operands[1]));
}

// Biases that one concat can hold.
bool BiasesStack(absl::Span<const Projection> projections, const Module& module) {
  return std::ranges::all_of(projections, [&](const Projection& projection) {
    return projection.bias >= 0 &&
           module.node(projection.bias).type.dtype == module.node(projections[0].bias).type.dtype;
  });
}

}  // namespace

std::optional<Projection> FindProjection(const Module& module, const Uses& uses, NodeId value) {
  if (IsPlainMatmul(module, value)) return Projection{value, -1, value};
  const Node& node = module.node(value);
  if (node.op != Op::kAdd || !IsPlainMatmul(module, node.operands[0]) ||
      !IsConstant(module.node(node.operands[1])) ||
      module.node(node.operands[1]).type.rank() != 1 || uses.SoleUser(node.operands[0]) != value) {
    return std::nullopt;
  }
  return Projection{node.operands[0], node.operands[1], value};
}

bool CanJoin(absl::Span<const Projection> projections, const Module& module) {
  const NodeId x = module.node(projections[0].matmul).operands[0];
  for (size_t i = 0; i < projections.size(); ++i) {
    if (module.node(projections[i].matmul).operands[0] != x) return false;
    for (size_t j = 0; j < i; ++j) {
      if (projections[j].matmul == projections[i].matmul) return false;
    }
  }
  return true;
}

std::string LocationsOf(absl::Span<const Projection> projections, const Module& module) {
  std::vector<std::string> locations;
  for (const Projection& projection : projections)
    locations.push_back(module.node(projection.matmul).location);
  return JoinLocations(locations);
}

absl::Status JoinProjections(absl::Span<const Projection> projections, Module* module) {
  std::vector<NodeId> operands = {module->node(projections[0].matmul).operands[0]};
  std::vector<NodeId> biases;
  for (const Projection& projection : projections) {
    operands.push_back(module->node(projection.matmul).operands[1]);
    biases.push_back(projection.bias);
  }
  const bool with_bias = BiasesStack(projections, *module);
  const std::string location = LocationsOf(projections, *module);
  ir::Builder builder(module);
  NodeId joined =
      builder.Add(Op::kMatmul, std::move(operands),
                  {{Attr::kWeights, static_cast<int64_t>(projections.size())}}, location);
  if (with_bias) {
    const NodeId bias = builder.Add(Op::kConcat, std::move(biases), {}, location);
    joined = builder.Add(Op::kAdd, {joined, bias}, {}, location);
  }
  int64_t begin = 0;
  for (const Projection& projection : projections) {
    const NodeId old = with_bias ? projection.result : projection.matmul;
    const int64_t end = begin + module->node(old).type.last().value();
    const NodeId slice =
        builder.Add(Op::kSlice, {joined}, {{Attr::kBegin, begin}, {Attr::kEnd, end}},
                    module->node(old).location);
    if (builder.status().ok()) module->ReplaceUses(old, slice);
    begin = end;
  }
  return builder.status();
}

NodeId CutFusedWeight(absl::Span<const NodeId> slices, absl::Span<const absl::string_view> names,
                      Module* module) {
  const Uses uses(*module);
  for (NodeId id : slices) {
    const Node& slice = module->node(id);
    if (slice.op != Op::kSlice || slice.operands != module->node(slices[0]).operands) return -1;
  }
  const auto projection = FindProjection(*module, uses, module->node(slices[0]).operands[0]);
  if (!projection) return -1;
  Node& matmul = module->node(projection->matmul);
  const NodeId whole_id = matmul.operands[1];
  if (module->node(whole_id).op != Op::kWeight || uses.Count(whole_id) != 1) return -1;

  // In the order of their columns they must follow each other without a gap.
  std::vector<size_t> by_column(slices.size());
  for (size_t i = 0; i < slices.size(); ++i) by_column[i] = i;
  std::ranges::sort(by_column, {},
                    [&](size_t i) { return module->node(slices[i]).Int(Attr::kBegin); });
  int64_t covered = 0;
  for (size_t i : by_column) {
    if (module->node(slices[i]).Int(Attr::kBegin) != covered) return -1;
    covered = module->node(slices[i]).Int(Attr::kEnd);
  }
  if (covered != matmul.type.last().value()) return -1;

  const Node whole = module->node(whole_id);
  const int64_t first_row = whole.Has(Attr::kRows) ? whole.Ints(Attr::kRows)[0] : 0;
  std::vector<NodeId> operands = {matmul.operands[0]};
  for (size_t i : by_column) {
    const Node& slice = module->node(slices[i]);
    const int64_t begin = slice.Int(Attr::kBegin);
    const int64_t end = slice.Int(Attr::kEnd);
    Node part = whole;
    part.Set(Attr::kRows, std::vector<int64_t>{first_row + begin, first_row + end});
    part.type.dims[0] = end - begin;
    absl::StrAppend(&part.location, part.location.empty() ? "" : ".", names[i]);
    operands.push_back(module->Append(std::move(part)));
  }
  Node& cut = module->node(projection->matmul);
  cut.operands = std::move(operands);
  cut.Set(Attr::kWeights, static_cast<int64_t>(slices.size()));
  return projection->matmul;
}

}  // namespace weft::passes
