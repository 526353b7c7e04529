#include "codegen/matmul_epilogue.h"

#include <string>

#include "codegen/emitters.h"
#include "codegen/layout.h"
#include "codegen/math.h"

namespace weft::codegen {

using Value = KernelBuilder::Value;

MatmulEpilogue::MatmulEpilogue(KernelBuilder& k)
    : k_(k),
      roles_(k.spec().Roles()),
      gated_(!ir::GatedFn(k.spec().node).empty()),
      quantizes_(ir::QuantizesResult(k.spec().node)),
      unit_panels_(ir::UnitPanels(k.spec().node)) {}

void MatmulEpilogue::Apply(const MatmulPart& part, const MatmulTile::Values& sums, Value row,
                           Value unit) {
  llvm::IRBuilder<>& b = k_.ir();
  const int panels = gated_ ? 2 : 1;  // of 16 outputs
  const int64_t rows = part.rows / panels;
  MatmulTile::Values outputs;
  for (int i = 0; i < unit_panels_; i += panels) {
    Value first = b.CreateAdd(b.CreateMul(unit, k_.I64(unit_panels_ / panels * kPanelRows)),
                              k_.I64(i / panels * kPanelRows));
    Value mask = rows % kPanelRows == 0 ? nullptr : k_.LanesBelow(b.CreateSub(k_.I64(rows), first));
    Value column = b.CreateAdd(first, k_.I64(part.first_column));
    Value value = Outputs(absl::MakeConstSpan(sums).subspan(i, panels), row, column, mask);
    outputs.push_back(value);
    if (!quantizes_)
      k_.Store(value, k_.Element(k_.Row(k_.spec().result_index(), row), column, 4), mask);
  }
  if (quantizes_) {
    EmitQuantizedBlock(k_, outputs[0], outputs[1], k_.Row(k_.spec().result_index(), row),
                       b.CreateAdd(unit, k_.I64(part.first_column / kBlock)),
                       k_.spec().result().type.last().value());
  }
}

Value MatmulEpilogue::Outputs(absl::Span<const Value> sums, Value row, Value column, Value mask) {
  llvm::IRBuilder<>& b = k_.ir();
  Value value = sums[0];
  if (gated_)
    value =
        b.CreateFMul(EmitActivation(k_, std::string(ir::GatedFn(k_.spec().node)), value), sums[1]);
  auto steps = k_.spec().node.Strings(ir::Attr::kEpilogue);
  if (gated_) steps.remove_prefix(1);
  if (quantizes_) steps.remove_suffix(1);
  for (const std::string& step : steps) {
    if (step == "bias") {
      value = b.CreateFAdd(value, k_.Load(k_.Element(k_.Operand(roles_.bias), column, 4), mask));
    } else if (step == "residual") {
      Value other = k_.Load(k_.Element(k_.Row(roles_.residual, row), column, 4), mask);
      value = b.CreateFAdd(value, other);
    } else {
      value = EmitActivation(k_, step, value);
    }
  }
  return value;
}

}  // namespace weft::codegen
