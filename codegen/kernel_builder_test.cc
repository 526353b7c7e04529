#include "codegen/kernel_builder.h"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "codegen/compiler.h"
#include "codegen/jit.h"
#include "codegen/kernel_harness.h"

namespace weft::codegen {
namespace {

// Runs what `emit` writes, with operand 0 the input and operand 1 the output, both of floats.
std::vector<float> Execute(const Target& target, const std::function<void(KernelBuilder&)>& emit,
                           std::vector<float> input, size_t outputs) {
  KernelSpec spec{.node = {.op = ir::Op::kAdd}};
  spec.operands.resize(2);
  const NamedEmission emission{"test", spec, emit};
  const auto jit = Jit::Load(*CompileToObject(absl::MakeConstSpan(&emission, 1), target));
  const KernelFn function = *(*jit)->Lookup("test");
  std::vector<float> output(outputs, -1.0F);
  void* operands[] = {input.data(), output.data()};
  const KernelContext context{.tokens = 5, .logit_rows = 2, .position = 7};
  function(&context, operands, 3, 6);
  return output;
}

TEST(KernelBuilder, ContextAndUnitsArrive) {
  for (const Target& target : TestTargets()) {
    const auto output = Execute(
        target,
        [](KernelBuilder& k) {
          llvm::Value* values[] = {k.tokens(), k.logit_rows(), k.position(), k.begin(), k.end()};
          for (int i = 0; i < 5; ++i)
            k.ir().CreateStore(k.ir().CreateSIToFP(values[i], k.ir().getFloatTy()),
                               k.Offset(k.Operand(1), i * 4));
        },
        {}, 5);
    EXPECT_EQ(output, (std::vector<float>{5, 2, 7, 3, 6}));
  }
}

// The order of a sum shows in its rounding: 2^24 + 1 is 2^24. The tree adds lanes 0 and 8 first, so
// the ones of lanes 1 and 9 meet before they meet 2^24.
TEST(KernelBuilder, SumsRunThroughOneTree) {
  std::vector<float> input(16, 0.0F);
  input[0] = 16777216.0F;
  input[1] = 1;
  input[9] = 1;
  for (const Target& target : TestTargets()) {
    const auto sum = [](KernelBuilder& k) {
      k.ir().CreateStore(k.ReduceAdd(k.Load(k.Operand(0))), k.Operand(1));
    };
    EXPECT_EQ(Execute(target, sum, input, 1)[0], 16777218.0F);
  }
}

TEST(KernelBuilder, ColumnsVisitEachOnceAndNoneBeyond) {
  for (int64_t count : {1, 15, 16, 17, 48, 50}) {
    for (const Target& target : TestTargets()) {
      const auto fill = [count](KernelBuilder& k) {
        k.Columns(count, [&](llvm::Value* column, llvm::Value* mask) {
          llvm::Value* at = k.Element(k.Operand(1), column, 4);
          k.Store(k.ir().CreateFAdd(k.Load(at, mask), k.SplatF32(3)), at, mask);
        });
      };
      const auto output = Execute(target, fill, {}, 64);
      for (int64_t i = 0; i < 64; ++i)
        EXPECT_EQ(output[i], i < count ? 2 : -1) << i << " of " << count;
    }
  }
}

TEST(KernelBuilder, LoopsCarryValues) {
  for (const Target& target : TestTargets()) {
    const auto count = [](KernelBuilder& k) {
      const auto end = k.Loop(k.begin(), k.I64(10), 2, {k.F32(0)},
                              [&](llvm::Value* i, const KernelBuilder::Values& carried) {
                                return KernelBuilder::Values{k.ir().CreateFAdd(
                                    carried[0], k.ir().CreateSIToFP(i, k.ir().getFloatTy()))};
                              });
      k.ir().CreateStore(end[0], k.Operand(1));
    };
    EXPECT_EQ(Execute(target, count, {}, 1)[0], 3 + 5 + 7 + 9);
  }
}

}  // namespace
}  // namespace weft::codegen
