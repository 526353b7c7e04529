#include "codegen/registry.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "codegen/emitters.h"

namespace weft::codegen {
namespace {

using absl::OkStatus;
using absl::Status;
using ir::Op;

Status Any(const KernelSpec& /*spec*/, const Target& /*target*/) { return OkStatus(); }

Status PackedMatmul(const KernelSpec& spec, const Target& /*target*/) {
  const bool gated = !ir::GatedFn(spec.node).empty();
  const ir::Layout layout = gated ? ir::Layout::kPanels16x2 : ir::Layout::kPanels16;
  for (int weight : spec.Roles().weights) {
    const ir::Type& type = spec.operands[weight].type;
    if (type.layout != layout || (type.dtype != DataType::kF32 && type.dtype != DataType::kQ8_0)) {
      return absl::UnimplementedError(
          absl::StrCat("weights of ", ir::ToString(type), " are not packed in ", Name(layout)));
    }
    // A block lies within a unit.
    if (ir::QuantizesResult(spec.node) && type.dims[0].value() % (gated ? 64 : 32) != 0) {
      return absl::UnimplementedError(
          absl::StrCat("weights of ", ir::ToString(type), " make no whole blocks of 32 outputs"));
    }
  }
  return OkStatus();
}

Status PackedTable(const KernelSpec& spec, const Target& /*target*/) {
  const ir::Type& table = spec.operands[1].type;
  if (table.layout != ir::Layout::kPanels16x2 &&
      (table.dtype == DataType::kF32 ||
       (table.dtype == DataType::kQ8_0 && table.layout == ir::Layout::kPanels16)))
    return OkStatus();
  return absl::UnimplementedError(
      absl::StrCat("a table of ", ir::ToString(table), " is not packed"));
}

Status AttentionItself(const KernelSpec& spec, const Target& /*target*/) {
  return spec.phase == 0 ? OkStatus() : absl::UnimplementedError("merges nothing");
}

Status AttentionMerge(const KernelSpec& spec, const Target& /*target*/) {
  return spec.phase == 1 ? OkStatus() : absl::UnimplementedError("only merges");
}

// Vectors reach the norms and sums as F32.
Status FloatVectors(const KernelSpec& spec, const Target& /*target*/) {
  for (const KernelOperand& operand : spec.operands) {
    if (operand.type.dtype != DataType::kF32) {
      return absl::UnimplementedError(
          absl::StrCat("an operand of ", ir::ToString(operand.type), " is not f32"));
    }
  }
  return OkStatus();
}

constexpr Emitter kEmitters[] = {
    {"matmul-panels16", Op::kMatmul, PackedMatmul, EmitMatmul},
    {"quantize-q8a", Op::kQuantize, Any, EmitQuantize},
    {"embed", Op::kEmbed, PackedTable, EmitEmbed},
    {"rms-norm", Op::kRmsNorm, FloatVectors, EmitRmsNorm},
    {"layer-norm", Op::kLayerNorm, FloatVectors, EmitLayerNorm},
    {"elementwise", Op::kAdd, FloatVectors, EmitElementwise},
    {"elementwise", Op::kMul, FloatVectors, EmitElementwise},
    {"elementwise", Op::kScale, FloatVectors, EmitElementwise},
    {"elementwise", Op::kActivate, FloatVectors, EmitElementwise},
    {"elementwise", Op::kGatedActivate, FloatVectors, EmitElementwise},
    {"elementwise", Op::kSoftcap, FloatVectors, EmitElementwise},
    {"rope", Op::kRope, Any, EmitRope},
    {"kv-append", Op::kKvAppend, Any, EmitKvAppend},
    {"attention-spans", Op::kAttention, AttentionItself, EmitAttention},
    {"attention-merge", Op::kAttention, AttentionMerge, EmitAttentionMerge},
    {"select-rows", Op::kSelectRows, FloatVectors, EmitSelectRows},
    {"argmax", Op::kArgmax, Any, EmitArgmax},
};

}  // namespace

absl::StatusOr<Choice> ChooseEmitter(const KernelSpec& spec, const Target& target) {
  Choice choice;
  for (const Emitter& emitter : kEmitters) {
    if (emitter.op != spec.op()) continue;
    if (Status status = emitter.accepts(spec, target); !status.ok()) {
      choice.refusals.push_back(absl::StrCat(emitter.name, ": ", status.message()));
      continue;
    }
    choice.emitter = &emitter;
    return choice;
  }
  return absl::UnimplementedError(absl::StrCat(
      "no kernel for ", spec.BaseName(), " on ", target.name, " (",
      choice.refusals.empty() ? "no emitter for the op" : absl::StrJoin(choice.refusals, "; "),
      ")"));
}

}  // namespace weft::codegen
