#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
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

// The last result of both modules, bit by bit, on every target.
void ExpectSameBits(const std::string& fused, const std::string& separate,
                    const TestTensors& tensors, double tolerance) {
  for (const Target& target : TestTargets()) {
    for (int64_t tokens : {1, 3, 13, 70}) {
      SCOPED_TRACE(testing::Message() << target.name << ", " << tokens << " tokens");
      const KernelRun run{.tokens = tokens};
      EXPECT_EQ(RunKernels(fused, tensors, target, run, tolerance),
                RunKernels(separate, tensors, target, run, tolerance));
    }
  }
}

std::string InFormat(absl::string_view text, const std::string& format, const std::string& fn) {
  return absl::StrReplaceAll(
      text, {{"FORMAT", format}, {"INPUT", format == "f32" ? "%0" : "%1"}, {"FN", fn}});
}

constexpr char kGateAndUp[] = R"(module "m" {
    tensor "gate" : f32[64,80] {file=0, offset=0}
    tensor "up" : f32[64,80] {file=0, offset=0}
    %0 = input {name="x"} : f32[T,80]
    %1 = quantize %0 {partition="tokens", units=1} : q8a[T,80]
    %2 = weight {tensor="gate"} : f32[64,80]
    %3 = weight {tensor="up"} : f32[64,80]
)";
constexpr char kGatedSeparately[] = R"(
    %4 = pack %2 {format="FORMAT", layout="panels16"} : FORMAT[64,80]{panels16}
    %5 = pack %3 {format="FORMAT", layout="panels16"} : FORMAT[64,80]{panels16}
    %6 = matmul INPUT, %4 {partition="panels", units=4} : f32[T,64]
    %7 = matmul INPUT, %5 {partition="panels", units=4} : f32[T,64]
    %8 = gated_activate %6, %7 {fn="FN", partition="tokens", units=1} : f32[T,64]
)";
const TestTensors kGateAndUpTensors = {{"gate", RandomTensor(64 * 80, 10)},
                                       {"up", RandomTensor(64 * 80, 11)}};

TEST(EmitMatmul, GatedLikeSeparateSteps) {
  // Products of two sums of 80.
  constexpr double kGatedTolerance = 10 * kTolerance;
  const std::string fused = std::string(kGateAndUp) + R"(
    %4 = pack %2, %3 {format="FORMAT", layout="panels16x2"} : FORMAT[128,80]{panels16x2}
    %5 = matmul INPUT, %4 {epilogue=["gated_FN"], partition="panels", units=4} : f32[T,64]
    return %5
  })";
  const std::string separate = absl::StrCat(kGateAndUp, kGatedSeparately, "return %8 }");
  for (const char* format : {"f32", "q8_0"}) {
    for (const char* fn : {"silu", "gelu", "gelu_tanh"}) {
      CheckKernels(InFormat(fused, format, fn), kGateAndUpTensors, kGatedTolerance);
      ExpectSameBits(InFormat(fused, format, fn), InFormat(separate, format, fn), kGateAndUpTensors,
                     kGatedTolerance);
    }
  }
}

// A sum that differs in its last bit can turn a value by one quant, 1/127 of the largest of a
// block: the evaluator only tells that nothing is out of place, the separate steps that no bit
// differs.
constexpr double kQuantTolerance = 10;

TEST(EmitMatmul, GatedAndQuantisedLikeSeparateSteps) {
  const std::string fused = std::string(kGateAndUp) + R"(
    %4 = pack %2, %3 {format="FORMAT", layout="panels16x2"} : FORMAT[128,80]{panels16x2}
    %5 = matmul INPUT, %4 {epilogue=["gated_FN", "quantize"], partition="panels", units=2} : q8a[T,64]
    return %5
  })";
  const std::string separate = absl::StrCat(kGateAndUp, kGatedSeparately, R"(
    %9 = quantize %8 {partition="tokens", units=1} : q8a[T,64]
    return %9
  })");
  for (const char* format : {"f32", "q8_0"}) {
    CheckKernels(InFormat(fused, format, "silu"), kGateAndUpTensors, kQuantTolerance);
    ExpectSameBits(InFormat(fused, format, "silu"), InFormat(separate, format, "silu"),
                   kGateAndUpTensors, kQuantTolerance);
  }
}

// Parts of both formats, and the rest of an epilogue before the quantize.
TEST(EmitMatmul, QuantisedLikeSeparateSteps) {
  const std::string common = R"(module "m" {
    tensor "a" : f32[64,80] {file=0, offset=0}
    tensor "b" : f32[32,80] {file=0, offset=0}
    tensor "bias" : f32[96] {file=0, offset=0}
    %0 = input {name="x"} : f32[T,80]
    %1 = input {name="r"} : f32[T,96]
    %2 = quantize %0 {partition="tokens", units=1} : q8a[T,80]
    %3 = weight {tensor="a"} : f32[64,80]
    %4 = weight {tensor="b"} : f32[32,80]
    %5 = weight {tensor="bias"} : f32[96]
    %6 = pack %3 {format="q8_0", layout="panels16"} : q8_0[64,80]{panels16}
    %7 = pack %4 {format="f32", layout="panels16"} : f32[32,80]{panels16}
    %8 = pack %5 {format="f32", layout="rows"} : f32[96]
    %9 = matmul %0, %2, %6, %7, %8, %1 {weights=2, inputs=2, epilogue=["bias", "gelu", "residual")";
  const std::string fused = common + R"(, "quantize"], partition="panels", units=3} : q8a[T,96]
    return %9
  })";
  const std::string separate = common + R"(], partition="panels", units=6} : f32[T,96]
    %10 = quantize %9 {partition="tokens", units=1} : q8a[T,96]
    return %10
  })";
  const TestTensors tensors = {{"a", RandomTensor(64 * 80, 12)},
                               {"b", RandomTensor(32 * 80, 13)},
                               {"bias", RandomTensor(96, 14)}};
  CheckKernels(fused, tensors, kQuantTolerance);
  ExpectSameBits(fused, separate, tensors, kQuantTolerance);
}

// Sums of both panels wait from one range of K to the next.
TEST(EmitMatmul, GatedLongRowsAndManyTokens) {
  const std::string common = R"(module "m" {
    tensor "gate" : f32[48,3100] {file=0, offset=0}
    tensor "up" : f32[48,3100] {file=0, offset=0}
    %0 = input {name="x"} : f32[T,3100]
    %1 = quantize %0 {partition="tokens", units=1} : q8a[T,3100]
    %2 = weight {tensor="gate"} : f32[48,3100]
    %3 = weight {tensor="up"} : f32[48,3100]
)";
  const std::string fused = common + R"(
    %4 = pack %2, %3 {format="FORMAT", layout="panels16x2"} : FORMAT[96,3100]{panels16x2}
    %5 = matmul INPUT, %4 {epilogue=["gated_silu"], partition="panels", units=3} : f32[T,48]
    return %5
  })";
  const std::string separate = common + R"(
    %4 = pack %2 {format="FORMAT", layout="panels16"} : FORMAT[48,3100]{panels16}
    %5 = pack %3 {format="FORMAT", layout="panels16"} : FORMAT[48,3100]{panels16}
    %6 = matmul INPUT, %4 {partition="panels", units=3} : f32[T,48]
    %7 = matmul INPUT, %5 {partition="panels", units=3} : f32[T,48]
    %8 = gated_activate %6, %7 {fn="silu", partition="tokens", units=1} : f32[T,48]
    return %8
  })";
  const TestTensors tensors = {{"gate", RandomTensor(48 * 3100, 15)},
                               {"up", RandomTensor(48 * 3100, 16)}};
  // Ten times as many products as elsewhere, and the error of one sum times the other, up to 200.
  constexpr double kLongTolerance = 10 * 200 * kTolerance;
  for (const char* format : {"q8_0", "f32"}) {
    for (const Target& target : TestTargets()) {
      SCOPED_TRACE(target.name);
      EXPECT_EQ(RunKernels(InFormat(fused, format, ""), tensors, target,
                           {.tokens = 300, .group = 2}, kLongTolerance),
                RunKernels(InFormat(separate, format, ""), tensors, target, {.tokens = 300},
                           kLongTolerance));
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
