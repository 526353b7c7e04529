#include <gtest/gtest.h>

#include "absl/strings/str_replace.h"
#include "codegen/kernel_harness.h"

namespace weft::codegen {
namespace {

constexpr double kTolerance = 3e-6;

TEST(EmitNorm, RmsNorm) {
  CheckKernels(R"(module "m" {
    tensor "w" : f32[83] {file=0, offset=0}
    %0 = input {name="x"} : f32[T,83]
    %1 = weight {tensor="w"} : f32[83]
    %2 = pack %1 {format="f32", layout="rows"} : f32[83]
    %3 = rms_norm %0, %2 {eps=1e-06, offset=1.0, partition="tokens", units=1} : f32[T,83]
    return %3
  })",
               {{"w", RandomTensor(83, 1)}}, kTolerance);
}

TEST(EmitNorm, RmsNormOfHeads) {
  CheckKernels(R"(module "m" {
    tensor "w" : f32[24] {file=0, offset=0}
    %0 = input {name="x"} : f32[T,72]
    %1 = weight {tensor="w"} : f32[24]
    %2 = pack %1 {format="f32", layout="rows"} : f32[24]
    %3 = rms_norm %0, %2 {eps=0.01, group=24, partition="token_heads", units=3} : f32[T,72]
    return %3
  })",
               {{"w", RandomTensor(24, 2)}}, kTolerance);
}

TEST(EmitNorm, LayerNorm) {
  for (const char* width : {"80", "77"}) {
    std::string text = R"(module "m" {
      tensor "w" : f32[WIDTH] {file=0, offset=0}
      tensor "b" : f32[WIDTH] {file=0, offset=0}
      %0 = input {name="x"} : f32[T,WIDTH]
      %1 = weight {tensor="w"} : f32[WIDTH]
      %2 = weight {tensor="b"} : f32[WIDTH]
      %3 = pack %1 {format="f32", layout="rows"} : f32[WIDTH]
      %4 = pack %2 {format="f32", layout="rows"} : f32[WIDTH]
      %5 = layer_norm %0, %3, %4 {eps=1e-05, partition="tokens", units=1} : f32[T,WIDTH]
      return %5
    })";
    absl::StrReplaceAll({{"WIDTH", width}}, &text);
    CheckKernels(text, {{"w", RandomTensor(80, 3)}, {"b", RandomTensor(80, 4)}}, kTolerance);
  }
}

}  // namespace
}  // namespace weft::codegen
