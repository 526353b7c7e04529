// Attention over part of the context: what it leaves, and how two of them become one.
#pragma once

#include "codegen/kernel_builder.h"

namespace weft::codegen {

// Addresses of a query's state over some positions (https://arxiv.org/abs/1805.02867).
struct AttentionState {
  llvm::Value* mixed;    // floats, by whole vectors: Σ weight · value
  llvm::Value* highest;  // float: of the scores
  llvm::Value* sum;      // float: Σ weight, where weight = exp(score - highest)
};

// Over no positions at all. Its highest score is finite, so that exp(highest - highest) is 1.
void EmitEmptyState(KernelBuilder& k, const AttentionState& state, int64_t columns);
// `state` comes to cover the positions of `next` too. One that saw none changes no bit.
void EmitMergeState(KernelBuilder& k, const AttentionState& state, const AttentionState& next,
                    int64_t columns);
// out = mixed / sum, `head_dim` floats.
void EmitAttentionResult(KernelBuilder& k, const AttentionState& state, llvm::Value* out,
                         int64_t head_dim);

// How many spans have positions below `end`.
llvm::Value* SpansBelow(KernelBuilder& k, llvm::Value* end);

// A workspace of states (codegen/layout.h).
class AttentionPartials {
 public:
  // Operand `operand`; heads of the whole step.
  AttentionPartials(KernelBuilder& k, int operand, int64_t heads, int64_t head_dim);

  // `span` is counted from the first that the step's first token sees.
  AttentionState At(llvm::Value* token, llvm::Value* span, llvm::Value* head) const;

  // Whether this run has so few tokens that states are left and merged by a second step.
  static llvm::Value* Split(KernelBuilder& k);

 private:
  KernelBuilder& k_;
  llvm::Value* base_;
  int64_t heads_, head_dim_, spans_;
};

}  // namespace weft::codegen
