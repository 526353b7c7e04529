#include "codegen/matmul_epilogue.h"

#include <string>

#include "codegen/layout.h"
#include "codegen/math.h"

namespace weft::codegen {

using Value = KernelBuilder::Value;

MatmulEpilogue::MatmulEpilogue(KernelBuilder& k) : k_(k), roles_(k.spec().Roles()) {}

void MatmulEpilogue::Apply(const MatmulPart& part, const MatmulTile::Values& sums, Value row,
                           Value unit) {
  llvm::IRBuilder<>& b = k_.ir();
  Value first = b.CreateMul(unit, k_.I64(kPanelRows));
  Value column = b.CreateAdd(first, k_.I64(part.first_column));
  Value mask =
      part.rows % kPanelRows == 0 ? nullptr : k_.LanesBelow(b.CreateSub(k_.I64(part.rows), first));
  Value value = sums[0];
  for (const std::string& step : k_.spec().node.Strings(ir::Attr::kEpilogue)) {
    if (step == "bias") {
      value = b.CreateFAdd(value, k_.Load(k_.Element(k_.Operand(roles_.bias), column, 4), mask));
    } else if (step == "residual") {
      Value other = k_.Load(k_.Element(k_.Row(roles_.residual, row), column, 4), mask);
      value = b.CreateFAdd(value, other);
    } else {
      value = EmitActivation(k_, step, value);
    }
  }
  k_.Store(value, k_.Element(k_.Row(k_.spec().result_index(), row), column, 4), mask);
}

}  // namespace weft::codegen
