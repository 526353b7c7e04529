// exp, tanh and erf over vectors of 16 floats, the same bits on every tier: the algorithms of
// SLEEF 3.5's deterministic FMA functions Sleef_finz_expf_u10, _tanhf_u35 and _erff_u10
// (https://sleef.org), emitted inline. math_test.cc holds them against that library over all 2^32
// inputs.
#pragma once

#include "codegen/kernel_builder.h"

namespace weft::codegen {

llvm::Value* EmitExp(KernelBuilder& k, llvm::Value* x);
llvm::Value* EmitTanh(KernelBuilder& k, llvm::Value* x);
llvm::Value* EmitErf(KernelBuilder& k, llvm::Value* x);

// gelu, gelu_tanh or silu.
llvm::Value* EmitActivation(KernelBuilder& k, const std::string& fn, llvm::Value* x);
// cap · tanh(x / cap).
llvm::Value* EmitSoftcap(KernelBuilder& k, double cap, llvm::Value* x);

}  // namespace weft::codegen
