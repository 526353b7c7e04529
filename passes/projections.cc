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

absl::Status JoinProjections(absl::Span<const Projection> projections, Module* module, Uses* uses) {
  std::vector<NodeId> operands = {module->node(projections[0].matmul).operands[0]};
  std::vector<NodeId> biases;
  for (const Projection& projection : projections) {
    operands.push_back(module->node(projection.matmul).operands[1]);
    biases.push_back(projection.bias);
  }
  const bool with_bias = BiasesStack(projections, *module);
  const std::string location = LocationsOf(projections, *module);
  ir::Builder builder(module);
  const auto add = [&](Op op, std::vector<NodeId> of, ir::Attrs attrs, const std::string& name) {
    const NodeId id = builder.Add(op, std::move(of), std::move(attrs), name);
    if (builder.status().ok()) uses->Note(*module, id);
    return id;
  };
  NodeId joined = add(Op::kMatmul, std::move(operands),
                      {{Attr::kWeights, static_cast<int64_t>(projections.size())}}, location);
  if (with_bias) {
    const NodeId bias = add(Op::kConcat, std::move(biases), {}, location);
    joined = add(Op::kAdd, {joined, bias}, {}, location);
  }
  int64_t begin = 0;
  for (const Projection& projection : projections) {
    const NodeId old = with_bias ? projection.result : projection.matmul;
    const int64_t end = begin + module->node(old).type.last().value();
    const NodeId slice = add(Op::kSlice, {joined}, {{Attr::kBegin, begin}, {Attr::kEnd, end}},
                             module->node(old).location);
    if (builder.status().ok()) uses->Replace(old, slice, module);
    begin = end;
  }
  return builder.status();
}

NodeId SlicedProjection(const Module& module, const Uses& uses, absl::Span<const NodeId> slices) {
  for (size_t i = 0; i < slices.size(); ++i) {
    const Node& slice = module.node(slices[i]);
    if (slice.op != Op::kSlice || slice.operands != module.node(slices[0]).operands) return -1;
    if (std::ranges::count(slices, slices[i]) != 1) return -1;
  }
  const NodeId sliced = module.node(slices[0]).operands[0];
  return FindProjection(module, uses, sliced) ? sliced : -1;
}

NodeId BehindHeads(const Module& module, NodeId value) {
  constexpr int kMost = 8;  // known models have one of each
  for (int i = 0; i < kMost; ++i) {
    const Node& node = module.node(value);
    if (node.op != Op::kRope && node.op != Op::kRmsNorm && node.op != Op::kScale) break;
    value = node.operands[0];
  }
  return value;
}

}  // namespace weft::passes
