// The one place where tiers differ: the exact int32 dot product of 16 rows of int8 weights with
// int8 activations.
#pragma once

#include <memory>

#include "codegen/kernel_builder.h"

namespace weft::codegen {

// Weights come as groups of 64 bytes (16 rows × 4 k), activations as 4 bytes that all rows share.
// Activations are within ±127; weights may be -128.
class Int8Dot {
 public:
  virtual ~Int8Dot() = default;
  static std::unique_ptr<Int8Dot> For(const Target& target);

  // The accumulator that a block starts from: <16 x i32>. `sum` is Σ of the block's activations
  // (i32).
  virtual llvm::Value* Start(KernelBuilder& k, llvm::Value* sum) const = 0;
  // What of a group of weights (<64 x i8>) is shared by all tokens.
  virtual llvm::Value* Prepare(KernelBuilder& k, llvm::Value* weights) const = 0;
  // sums + the group's products; `activations` are the 4 bytes as i32.
  virtual llvm::Value* Accumulate(KernelBuilder& k, llvm::Value* sums, llvm::Value* weights,
                                  llvm::Value* prepared, llvm::Value* activations) const = 0;
};

}  // namespace weft::codegen
