// Emits one kernel: its frame, loops, and vectors of 16 lanes.
//
// Everything is emitted over <16 x float>, on every tier: LLVM splits it into two registers where
// they are 256 bits wide. So lanes, the order of sums and with them every bit of a result are the
// same on all tiers.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "codegen/kernel_spec.h"
#include "codegen/target.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"

namespace weft::codegen {

inline constexpr int kLanes = 16;

// A function of the signature of KernelFn (runtime/abi/program.h), to be defined: for the target,
// with unwind tables and a frame pointer.
llvm::Function* DeclareKernel(llvm::Module* module, const Target& target, const std::string& name);

class KernelBuilder {
 public:
  using Value = llvm::Value*;
  using Values = std::vector<llvm::Value*>;

  // Declares `name` and opens its body.
  KernelBuilder(llvm::Module* module, const Target& target, const KernelSpec& spec,
                const std::string& name);

  const KernelSpec& spec() const { return spec_; }
  const Target& target() const { return target_; }
  llvm::IRBuilder<>& ir() { return ir_; }
  // Closes the body.
  void Finish() { ir_.CreateRetVoid(); }

  // Arguments and fields of the context.
  Value begin() { return begin_; }
  Value end() { return end_; }
  Value tokens() { return tokens_; }
  Value logit_rows() { return logit_rows_; }
  Value position() { return position_; }
  // How many rows the symbol stands for in this run.
  Value RowCount(const ir::Dim& dim);
  Value Operand(int index) { return operands_[index]; }
  // Address of row `row` of an operand, by its stride.
  Value Row(int operand, Value row);

  // Constants.
  Value I64(int64_t value) { return ir_.getInt64(static_cast<uint64_t>(value)); }
  Value F32(double value);
  Value Splat(Value scalar) { return ir_.CreateVectorSplat(kLanes, scalar); }
  Value SplatF32(double value) { return Splat(F32(value)); }
  Value SplatI32(int32_t value) { return Splat(ir_.getInt32(static_cast<uint32_t>(value))); }
  Value ZeroF32() { return SplatF32(0.0); }
  llvm::Type* F32Vector() { return llvm::FixedVectorType::get(ir_.getFloatTy(), kLanes); }
  llvm::Type* I32Vector() { return llvm::FixedVectorType::get(ir_.getInt32Ty(), kLanes); }
  // 0, 1, …, 15 as i32.
  Value Iota();
  // Lanes below `count` (an i64 value).
  Value LanesBelow(Value count);

  // Address arithmetic in bytes.
  Value Offset(Value pointer, Value bytes) {
    return ir_.CreateGEP(ir_.getInt8Ty(), pointer, bytes);
  }
  Value Offset(Value pointer, int64_t bytes) { return Offset(pointer, I64(bytes)); }
  // pointer + index · size.
  Value Element(Value pointer, Value index, int64_t size);

  // Asks for the line of an address that is read soon; any address will do.
  void Prefetch(Value pointer);
  // A null mask means all lanes; masked-off lanes load 0 and store nothing.
  Value Load(Value pointer, Value mask = nullptr);
  void Store(Value value, Value pointer, Value mask = nullptr);
  Value LoadScalar(llvm::Type* type, Value pointer);
  Value LoadF32(Value pointer) { return LoadScalar(ir_.getFloatTy(), pointer); }
  Value LoadI32(Value pointer) { return LoadScalar(ir_.getInt32Ty(), pointer); }

  Value Fma(Value a, Value b, Value c);
  Value Sqrt(Value a);
  Value Abs(Value a);
  Value Min64(Value a, Value b) { return ir_.CreateSelect(ir_.CreateICmpSLT(a, b), a, b); }
  Value Max64(Value a, Value b) { return ir_.CreateSelect(ir_.CreateICmpSGT(a, b), a, b); }
  // One fixed tree: lanes i and i+8, then i and i+4, i+2, i+1.
  Value ReduceAdd(Value vector);
  Value ReduceMax(Value vector);
  Value ReduceAddI32(Value vector);
  Value ReduceMaxI32(Value vector);
  Value ReduceMinI32(Value vector);

  // for (i = lo; i < hi; i += step), with values carried from one turn to the next; returns them as
  // they are at the end. LLVM does not unroll it (compiler.cc): an emitter does, where that gains.
  Values Loop(Value lo, Value hi, int64_t step, const Values& initial,
              const std::function<Values(Value i, const Values& carried)>& body);
  void Loop(Value lo, Value hi, int64_t step, const std::function<void(Value i)>& body);
  void If(Value condition, const std::function<void()>& then);
  // Over `count` columns, 16 at a time; the last turn has a mask where count is no multiple of 16.
  void Columns(int64_t count, const std::function<void(Value column, Value mask)>& body);
  Values Columns(
      int64_t count, const Values& initial,
      const std::function<Values(Value column, Value mask, const Values& carried)>& body);

  // Memory of this call, 64-byte aligned, on its stack.
  Value Scratch(int64_t floats);
  // The same, but the last user's memory again, made larger where it is too small.
  struct SharedScratch {
    llvm::AllocaInst* memory = nullptr;
    int64_t floats = 0;
  };
  Value Scratch(int64_t floats, SharedScratch* shared);
  int64_t scratch_bytes() const { return scratch_bytes_; }

 private:
  Value Tree(Value vector, const std::function<Value(Value, Value)>& combine);

  const KernelSpec& spec_;
  const Target& target_;
  llvm::Function* function_;
  llvm::IRBuilder<> ir_;
  int64_t scratch_bytes_ = 0;
  Value begin_, end_, tokens_, logit_rows_, position_;
  Values operands_;
};

}  // namespace weft::codegen
