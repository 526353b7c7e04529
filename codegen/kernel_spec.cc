#include "codegen/kernel_spec.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ir/text.h"

namespace weft::codegen {

using ir::Attr;
using ir::Op;

KernelSpec::MatmulRoles KernelSpec::Roles() const {
  MatmulRoles roles;
  int next = 0;
  for (int64_t i = 0; i < node.Int(Attr::kInputs, 1); ++i, ++next) {
    (operands[next].type.dtype == DataType::kQ8A ? roles.quantized_input : roles.f32_input) = next;
  }
  for (int64_t i = 0; i < node.Int(Attr::kWeights, 1); ++i) roles.weights.push_back(next++);
  for (const std::string& step : node.Strings(Attr::kEpilogue)) {
    if (step == "bias") roles.bias = next++;
    if (step == "residual") roles.residual = next++;
  }
  return roles;
}

std::string KernelSpec::Key() const {
  ir::Module printer;
  const ir::NodeId id = printer.Append(node);
  std::string key =
      absl::StrCat(ir::PrintNode(printer, id), " phase=", phase, " context=", context);
  for (const KernelOperand& operand : operands) {
    absl::StrAppend(&key, "; ", ir::ToString(operand.type), " stride ", operand.stride);
  }
  return key;
}

std::string KernelSpec::BaseName() const {
  std::string name = std::string(ir::Name(op()));
  const auto append = [&name](const auto&... parts) { absl::StrAppend(&name, "_", parts...); };
  switch (op()) {
    case Op::kMatmul:
      for (int weight : Roles().weights) {
        const ir::Type& type = operands[weight].type;
        append(Name(type.dtype), "_", type.dims[0].value(), "x", type.dims[1].value());
      }
      for (const std::string& step : node.Strings(Attr::kEpilogue)) append(step);
      break;
    case Op::kEmbed:
      append(Name(operands[1].type.dtype), "_", result().type.last().value());
      break;
    case Op::kAttention:
      if (phase == 1) append("merge");
      append(node.Int(Attr::kHeads), "x", result().type.last().value() / node.Int(Attr::kHeads));
      if (phase == 0) append("kv", operands[1].type.dims[2].value());
      if (phase == 0 && operands[1].type.dtype != DataType::kF32)
        append(Name(operands[1].type.dtype));
      if (node.Has(Attr::kWindow)) append("window", node.Int(Attr::kWindow));
      break;
    case Op::kKvAppend:
      if (result().type.dtype != DataType::kF32) append(Name(result().type.dtype));
      [[fallthrough]];
    case Op::kRope:
      append(node.Int(Attr::kHeads), "x", operands[0].type.last().value() / node.Int(Attr::kHeads));
      break;
    case Op::kActivate:
    case Op::kGatedActivate:
      append(node.String(Attr::kFn));
      append(result().type.last().value());
      break;
    case Op::kInput:
    case Op::kWeight:
    case Op::kRopeTable:
    case Op::kConcat:
    case Op::kPack:
      break;
    case Op::kRmsNorm:
    case Op::kLayerNorm:
    case Op::kQuantize:
    case Op::kAdd:
    case Op::kMul:
    case Op::kScale:
    case Op::kSoftcap:
    case Op::kSlice:
    case Op::kSelectRows:
    case Op::kArgmax:
      append(operands[0].type.last().value());
      break;
  }
  return name;
}

int Phases(const ir::Node& node) { return node.Has(Attr::kWorkspace) ? 2 : 1; }

std::vector<ir::NodeId> OperandsOf(const ir::Node& node, int phase) {
  if (phase == 1) return {kWorkspace};
  std::vector<ir::NodeId> operands = node.operands;
  if (node.Has(Attr::kWorkspace)) operands.push_back(kWorkspace);
  return operands;
}

KernelSpec MakeSpec(const ir::Module& module, const ir::Node& node, int64_t context, int phase) {
  KernelSpec spec{.node = node, .phase = phase, .context = context};
  const auto add = [&spec](const ir::Node& value) {
    spec.operands.push_back({value.type, value.Int(Attr::kStride, 0)});
  };
  for (ir::NodeId operand : OperandsOf(node, phase)) {
    if (operand != kWorkspace) {
      add(module.node(operand));
    } else {
      spec.operands.push_back({{DataType::kF32, {ir::Dim(node.Int(Attr::kWorkspace) / 4)}}});
    }
  }
  add(node);
  spec.node.operands.clear();
  spec.node.location.clear();
  for (Attr attr : {Attr::kAddress, Attr::kBytes, Attr::kWorkspace, Attr::kSpace, Attr::kStride,
                    Attr::kLayer, Attr::kGrain}) {
    spec.node.Remove(attr);
  }
  return spec;
}

}  // namespace weft::codegen
