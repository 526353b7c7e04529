#include "codegen/kernel_builder.h"

#include <cstddef>

#include "absl/strings/str_cat.h"
#include "llvm/IR/Intrinsics.h"
#include "runtime/abi/check.h"
#include "runtime/abi/program.h"

namespace weft::codegen {

using Value = KernelBuilder::Value;
using Values = KernelBuilder::Values;

llvm::Function* DeclareKernel(llvm::Module* module, const Target& target, const std::string& name) {
  llvm::LLVMContext& context = module->getContext();
  llvm::Type* pointer = llvm::PointerType::getUnqual(context);
  llvm::Type* i64 = llvm::Type::getInt64Ty(context);
  auto* type =
      llvm::FunctionType::get(llvm::Type::getVoidTy(context), {pointer, pointer, i64, i64}, false);
  auto* function = llvm::Function::Create(type, llvm::Function::ExternalLinkage, name, module);
  const std::string bits = absl::StrCat(target.vector_bits);
  function->addFnAttr("target-cpu", target.cpu);
  function->addFnAttr("target-features", target.features);
  function->addFnAttr("prefer-vector-width", bits);
  function->addFnAttr("min-legal-vector-width", bits);
  function->addFnAttr(llvm::Attribute::NoUnwind);
  // Profilers and debuggers walk the stack through kernels, by tables or by frames.
  function->setUWTableKind(llvm::UWTableKind::Async);
  function->addFnAttr("frame-pointer", "all");
  return function;
}

KernelBuilder::KernelBuilder(llvm::Module* module, const Target& target, const KernelSpec& spec,
                             const std::string& name)
    : spec_(spec),
      target_(target),
      function_(DeclareKernel(module, target, name)),
      ir_(module->getContext()) {
  llvm::Type* pointer = ir_.getPtrTy();
  llvm::Type* i64 = ir_.getInt64Ty();
  for (unsigned i : {0U, 1U}) function_->addParamAttr(i, llvm::Attribute::ReadOnly);
  ir_.SetInsertPoint(llvm::BasicBlock::Create(module->getContext(), "entry", function_));

  const auto field = [&](size_t offset) {
    return LoadScalar(i64, Offset(function_->getArg(0), static_cast<int64_t>(offset)));
  };
  tokens_ = field(offsetof(KernelContext, tokens));
  logit_rows_ = field(offsetof(KernelContext, logit_rows));
  position_ = field(offsetof(KernelContext, position));
  begin_ = function_->getArg(2);
  end_ = function_->getArg(3);
  for (size_t i = 0; i < spec.operands.size(); ++i) {
    operands_.push_back(
        LoadScalar(pointer, Offset(function_->getArg(1), static_cast<int64_t>(i * sizeof(void*)))));
  }
}

Value KernelBuilder::RowCount(const ir::Dim& dim) {
  WEFT_CHECK(dim.symbol() == ir::Symbol::kTokens || dim.symbol() == ir::Symbol::kLogitRows);
  return dim.symbol() == ir::Symbol::kTokens ? tokens_ : logit_rows_;
}

Value KernelBuilder::Row(int operand, Value row) {
  const int64_t stride = spec_.operands[operand].stride;
  WEFT_CHECK(stride > 0);
  return Element(Operand(operand), row, stride);
}

Value KernelBuilder::F32(double value) { return llvm::ConstantFP::get(ir_.getFloatTy(), value); }

Value KernelBuilder::Iota() {
  std::vector<uint32_t> lanes(kLanes);
  for (int i = 0; i < kLanes; ++i) lanes[i] = i;
  return llvm::ConstantDataVector::get(ir_.getContext(), lanes);
}

Value KernelBuilder::LanesBelow(Value count) {
  Value bounded = ir_.CreateTrunc(Min64(count, I64(kLanes)), ir_.getInt32Ty());
  return ir_.CreateICmpSLT(Iota(), Splat(bounded));
}

Value KernelBuilder::Element(Value pointer, Value index, int64_t size) {
  return Offset(pointer, ir_.CreateMul(index, I64(size)));
}

void KernelBuilder::Prefetch(Value pointer) {
  // For reading, into all caches, of data.
  ir_.CreateIntrinsic(llvm::Intrinsic::prefetch, {pointer->getType()},
                      {pointer, ir_.getInt32(0), ir_.getInt32(3), ir_.getInt32(1)});
}

Value KernelBuilder::Load(Value pointer, Value mask) {
  const llvm::Align align(4);
  if (mask == nullptr) return ir_.CreateAlignedLoad(F32Vector(), pointer, align);
  return ir_.CreateMaskedLoad(F32Vector(), pointer, align, mask, ZeroF32());
}

void KernelBuilder::Store(Value value, Value pointer, Value mask) {
  const llvm::Align align(4);
  if (mask == nullptr) {
    ir_.CreateAlignedStore(value, pointer, align);
  } else {
    ir_.CreateMaskedStore(value, pointer, align, mask);
  }
}

Value KernelBuilder::LoadScalar(llvm::Type* type, Value pointer) {
  return ir_.CreateLoad(type, pointer);
}

Value KernelBuilder::Fma(Value a, Value b, Value c) {
  return ir_.CreateIntrinsic(llvm::Intrinsic::fma, {a->getType()}, {a, b, c});
}
Value KernelBuilder::Sqrt(Value a) { return ir_.CreateUnaryIntrinsic(llvm::Intrinsic::sqrt, a); }
Value KernelBuilder::Abs(Value a) { return ir_.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, a); }

Value KernelBuilder::Tree(Value vector, const std::function<Value(Value, Value)>& combine) {
  for (int half = kLanes / 2; half >= 1; half /= 2) {
    std::vector<int> low;
    std::vector<int> high;
    for (int i = 0; i < half; ++i) {
      low.push_back(i);
      high.push_back(i + half);
    }
    vector = combine(ir_.CreateShuffleVector(vector, low), ir_.CreateShuffleVector(vector, high));
  }
  return ir_.CreateExtractElement(vector, uint64_t{0});
}

Value KernelBuilder::ReduceAdd(Value vector) {
  return Tree(vector, [this](Value a, Value b) { return ir_.CreateFAdd(a, b); });
}
Value KernelBuilder::ReduceMax(Value vector) {
  return Tree(vector,
              [this](Value a, Value b) { return ir_.CreateSelect(ir_.CreateFCmpOGT(a, b), a, b); });
}
Value KernelBuilder::ReduceAddI32(Value vector) {
  return Tree(vector, [this](Value a, Value b) { return ir_.CreateAdd(a, b); });
}
Value KernelBuilder::ReduceMaxI32(Value vector) {
  return Tree(vector,
              [this](Value a, Value b) { return ir_.CreateSelect(ir_.CreateICmpSGT(a, b), a, b); });
}
Value KernelBuilder::ReduceMinI32(Value vector) {
  return Tree(vector,
              [this](Value a, Value b) { return ir_.CreateSelect(ir_.CreateICmpSLT(a, b), a, b); });
}

Values KernelBuilder::Loop(Value lo, Value hi, int64_t step, const Values& initial,
                           const std::function<Values(Value, const Values&)>& body) {
  llvm::LLVMContext& context = ir_.getContext();
  llvm::BasicBlock* before = ir_.GetInsertBlock();
  auto* head = llvm::BasicBlock::Create(context, "head", function_);
  auto* inside = llvm::BasicBlock::Create(context, "body", function_);
  auto* after = llvm::BasicBlock::Create(context, "after", function_);
  ir_.CreateBr(head);

  ir_.SetInsertPoint(head);
  llvm::PHINode* i = ir_.CreatePHI(ir_.getInt64Ty(), 2);
  i->addIncoming(lo, before);
  std::vector<llvm::PHINode*> phis;
  Values carried;
  for (Value value : initial) {
    phis.push_back(ir_.CreatePHI(value->getType(), 2));
    phis.back()->addIncoming(value, before);
    carried.push_back(phis.back());
  }
  ir_.CreateCondBr(ir_.CreateICmpSLT(i, hi), inside, after);

  ir_.SetInsertPoint(inside);
  const Values next = body(i, carried);
  WEFT_CHECK(next.size() == initial.size());
  Value following = ir_.CreateNSWAdd(i, I64(step));
  for (size_t n = 0; n < phis.size(); ++n) phis[n]->addIncoming(next[n], ir_.GetInsertBlock());
  i->addIncoming(following, ir_.GetInsertBlock());
  ir_.CreateBr(head);

  ir_.SetInsertPoint(after);
  return carried;
}

void KernelBuilder::Loop(Value lo, Value hi, int64_t step, const std::function<void(Value)>& body) {
  Loop(lo, hi, step, {}, [&body](Value i, const Values&) {
    body(i);
    return Values{};
  });
}

void KernelBuilder::If(Value condition, const std::function<void()>& then) {
  llvm::LLVMContext& context = ir_.getContext();
  auto* inside = llvm::BasicBlock::Create(context, "then", function_);
  auto* after = llvm::BasicBlock::Create(context, "endif", function_);
  ir_.CreateCondBr(condition, inside, after);
  ir_.SetInsertPoint(inside);
  then();
  ir_.CreateBr(after);
  ir_.SetInsertPoint(after);
}

Values KernelBuilder::Columns(int64_t count, const Values& initial,
                              const std::function<Values(Value, Value, const Values&)>& body) {
  const int64_t whole = count / kLanes * kLanes;
  Values carried = initial;
  if (whole > 0) {
    carried =
        Loop(I64(0), I64(whole), kLanes, carried,
             [&body](Value column, const Values& values) { return body(column, nullptr, values); });
  }
  if (whole < count) carried = body(I64(whole), LanesBelow(I64(count - whole)), carried);
  return carried;
}

void KernelBuilder::Columns(int64_t count, const std::function<void(Value, Value)>& body) {
  Columns(count, {}, [&body](Value column, Value mask, const Values&) {
    body(column, mask);
    return Values{};
  });
}

Value KernelBuilder::Scratch(int64_t floats) {
  SharedScratch own;
  return Scratch(floats, &own);
}

Value KernelBuilder::Scratch(int64_t floats, SharedScratch* shared) {
  if (shared->memory != nullptr && floats <= shared->floats) return shared->memory;
  auto* type = llvm::ArrayType::get(ir_.getFloatTy(), static_cast<uint64_t>(floats));
  if (shared->memory == nullptr) {
    // In the entry block, so that a loop does not grow the stack.
    llvm::IRBuilder<> entry(&function_->getEntryBlock(), function_->getEntryBlock().begin());
    shared->memory = entry.CreateAlloca(type);
    shared->memory->setAlignment(llvm::Align(64));
  } else {
    shared->memory->setAllocatedType(type);
  }
  scratch_bytes_ += (floats - shared->floats) * 4;
  shared->floats = floats;
  return shared->memory;
}

}  // namespace weft::codegen
