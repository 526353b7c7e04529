#include <gtest/gtest.h>

#include "absl/strings/str_replace.h"
#include "codegen/kernel_harness.h"

namespace weft::codegen {
namespace {

// F32 sums of 50 to 300 products in K order against sums in F64.
constexpr double kTolerance = 2e-5;

TEST(EmitMatmul, F32WithARestOfRows) {
  CheckKernels(R"(module "m" {
    tensor "w" : f32[37,50] {file=0, offset=0}
    %0 = input {name="x"} : f32[T,50]
    %1 = weight {tensor="w"} : f32[37,50]
    %2 = pack %1 {format="f32", layout="panels16"} : f32[37,50]{panels16}
    %3 = matmul %0, %2 {partition="panels", units=3} : f32[T,37]
    return %3
  })",
               {{"w", RandomTensor(37 * 50, 1)}}, kTolerance);
}

TEST(EmitMatmul, Q8_0WithARestOfABlock) {
  CheckKernels(R"(module "m" {
    tensor "w" : f32[48,80] {file=0, offset=0}
    %0 = input {name="x"} : f32[T,80]
    %1 = quantize %0 {partition="tokens", units=1} : q8a[T,80]
    %2 = weight {tensor="w"} : f32[48,80]
    %3 = pack %2 {format="q8_0", layout="panels16"} : q8_0[48,80]{panels16}
    %4 = matmul %1, %3 {partition="panels", units=3} : f32[T,48]
    return %4
  })",
               {{"w", RandomTensor(48 * 80, 2)}}, kTolerance);
}

TEST(EmitMatmul, RowsOfATransposedTensor) {
  CheckKernels(R"(module "m" {
    tensor "w" : f32[64,60] {file=0, offset=0}
    %0 = input {name="x"} : f32[T,64]
    %1 = weight {tensor="w", rows=[20, 40], transposed=true} : f32[20,64]
    %2 = pack %1 {format="f32", layout="panels16"} : f32[20,64]{panels16}
    %3 = matmul %0, %2 {partition="panels", units=2} : f32[T,20]
    return %3
  })",
               {{"w", RandomTensor(64 * 60, 3)}}, kTolerance);
}

// Parts of different format side by side, the F32 one with a rest of rows in the middle of the
// result, and the whole epilogue.
TEST(EmitMatmul, MixedPartsAndEpilogue) {
  for (const char* fn : {"gelu_tanh", "silu", "gelu"}) {
    std::string text = R"(module "m" {
      tensor "q" : f32[40,96] {file=0, offset=0}
      tensor "k" : f32[20,96] {file=0, offset=0}
      tensor "v" : f32[32,96] {file=0, offset=0}
      tensor "b" : f32[92] {file=0, offset=0}
      %0 = input {name="x"} : f32[T,96]
      %1 = input {name="r"} : f32[T,92]
      %2 = quantize %0 {partition="tokens", units=1} : q8a[T,96]
      %3 = weight {tensor="q"} : f32[40,96]
      %4 = weight {tensor="k"} : f32[20,96]
      %5 = weight {tensor="v"} : f32[32,96]
      %6 = weight {tensor="b"} : f32[92]
      %7 = pack %3 {format="q8_0", layout="panels16"} : q8_0[40,96]{panels16}
      %8 = pack %4 {format="f32", layout="panels16"} : f32[20,96]{panels16}
      %9 = pack %5 {format="q8_0", layout="panels16"} : q8_0[32,96]{panels16}
      %10 = pack %6 {format="f32", layout="rows"} : f32[92]
      %11 = matmul %0, %2, %7, %8, %9, %10, %1 {weights=3, inputs=2, epilogue=["bias", "FN", "residual"], partition="panels", units=7} : f32[T,92]
      return %11
    })";
    absl::StrReplaceAll({{"FN", fn}}, &text);
    CheckKernels(text,
                 {{"q", RandomTensor(40 * 96, 4)},
                  {"k", RandomTensor(20 * 96, 5)},
                  {"v", RandomTensor(32 * 96, 6)},
                  {"b", RandomTensor(92, 7)}},
                 kTolerance);
  }
}

// K in several ranges, the last one shorter and no whole number of blocks; more tokens than wait
// together from one range to the next.
TEST(EmitMatmul, LongRowsAndManyTokens) {
  for (const char* format : {"q8_0", "f32"}) {
    const std::string text = absl::StrReplaceAll(
        R"(module "m" {
      tensor "w" : f32[40,3100] {file=0, offset=0}
      %0 = input {name="x"} : f32[T,3100]
      %1 = quantize %0 {partition="tokens", units=1} : q8a[T,3100]
      %2 = weight {tensor="w"} : f32[40,3100]
      %3 = pack %2 {format="FORMAT", layout="panels16"} : FORMAT[40,3100]{panels16}
      %4 = matmul INPUT, %3 {epilogue=["silu"], partition="panels", units=3} : f32[T,40]
      return %4
    })",
        {{"FORMAT", format}, {"INPUT", format == std::string("f32") ? "%0" : "%1"}});
    const TestTensors tensors = {{"w", RandomTensor(40 * 3100, 9)}};
    // Ten times as many products as elsewhere.
    constexpr double kLongTolerance = 10 * kTolerance;
    CheckKernels(text, tensors, kLongTolerance);
    std::vector<uint8_t> first;
    for (const Target& target : TestTargets()) {
      SCOPED_TRACE(target.name);
      const KernelRun run{.tokens = 700, .group = 2};
      const std::vector<uint8_t> bytes = RunKernels(text, tensors, target, run, kLongTolerance);
      if (first.empty()) first = bytes;
      EXPECT_EQ(first, bytes) << "bits differ";
    }
  }
}

// lm_head computes rows of logits, not tokens.
TEST(EmitMatmul, LogitRows) {
  CheckKernels(R"(module "m" {
    tensor "w" : f32[33,32] {file=0, offset=0}
    %0 = input {name="x"} : f32[L,32]
    %1 = weight {tensor="w"} : f32[33,32]
    %2 = pack %1 {format="f32", layout="panels16"} : f32[33,32]{panels16}
    %3 = matmul %0, %2 {partition="panels", units=3} : f32[L,33]
    return %3
  })",
               {{"w", RandomTensor(33 * 32, 8)}}, kTolerance);
}

}  // namespace
}  // namespace weft::codegen
