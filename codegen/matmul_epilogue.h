// What a matmul does with the sums of a row before it stores them.
#pragma once

#include "codegen/kernel_builder.h"
#include "codegen/matmul_tile.h"

namespace weft::codegen {

class MatmulEpilogue {
 public:
  explicit MatmulEpilogue(KernelBuilder& k);

  // How many panels a unit of the step has.
  int unit_panels() const { return unit_panels_; }

  // `sums`: of each panel of the unit, for the token `row`. `unit` counts from the part's first.
  void Apply(const MatmulPart& part, const MatmulTile::Values& sums, llvm::Value* row,
             llvm::Value* unit);

 private:
  // 16 columns of the result from the sums of their panels.
  llvm::Value* Outputs(absl::Span<llvm::Value* const> sums, llvm::Value* row, llvm::Value* column,
                       llvm::Value* mask);

  KernelBuilder& k_;
  KernelSpec::MatmulRoles roles_;
  const bool gated_;
  const bool quantizes_;
  const int unit_panels_;
};

}  // namespace weft::codegen
