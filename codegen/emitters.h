// One emitter per kind of step. Each writes the body of `k` for k.spec(): units [begin, end) as
// docs/architecture.md counts them.
#pragma once

#include "codegen/kernel_builder.h"

namespace weft::codegen {

void EmitMatmul(KernelBuilder& k);          // emit_matmul.cc
void EmitQuantize(KernelBuilder& k);        // emit_quantize.cc
void EmitEmbed(KernelBuilder& k);           // emit_embed.cc
void EmitSelectRows(KernelBuilder& k);      // emit_embed.cc
void EmitRmsNorm(KernelBuilder& k);         // emit_norm.cc
void EmitLayerNorm(KernelBuilder& k);       // emit_norm.cc
void EmitElementwise(KernelBuilder& k);     // emit_elementwise.cc
void EmitRope(KernelBuilder& k);            // emit_rope.cc
void EmitKvAppend(KernelBuilder& k);        // emit_kv_append.cc
void EmitAttention(KernelBuilder& k);       // emit_attention.cc
void EmitAttentionMerge(KernelBuilder& k);  // emit_attention_merge.cc
void EmitArgmax(KernelBuilder& k);          // emit_argmax.cc

// Block `index` of a row of q8a `width` values wide, from both halves of its 32 values.
void EmitQuantizedBlock(KernelBuilder& k, llvm::Value* low, llvm::Value* high, llvm::Value* row,
                        llvm::Value* index, int64_t width);  // emit_quantize.cc

}  // namespace weft::codegen
