#include <gtest/gtest.h>

#include "codegen/kernel_harness.h"

namespace weft::codegen {
namespace {

TEST(EmitEmbed, F32PanelsWithScale) {
  CheckKernels(R"(module "m" {
    tensor "w" : f32[21,50] {file=0, offset=0}
    %0 = input {name="tokens"} : i32[T]
    %1 = weight {tensor="w"} : f32[21,50]
    %2 = pack %1 {format="f32", layout="panels16"} : f32[21,50]{panels16}
    %3 = embed %0, %2 {scale=2.5, partition="tokens", units=1} : f32[T,50]
    return %3
  })",
               {{"w", RandomTensor(21 * 50, 1)}}, 1e-7);
}

TEST(EmitEmbed, Q8_0Panels) {
  CheckKernels(R"(module "m" {
    tensor "w" : f32[21,80] {file=0, offset=0}
    %0 = input {name="tokens"} : i32[T]
    %1 = weight {tensor="w"} : f32[21,80]
    %2 = pack %1 {format="q8_0", layout="panels16"} : q8_0[21,80]{panels16}
    %3 = embed %0, %2 {partition="tokens", units=1} : f32[T,80]
    return %3
  })",
               {{"w", RandomTensor(21 * 80, 2)}}, 1e-7);
}

TEST(EmitEmbed, RowsByPosition) {
  CheckKernels(R"(module "m" {
    tensor "w" : f32[70,36] {file=0, offset=0}
    %0 = input {name="positions"} : i32[T]
    %1 = weight {tensor="w"} : f32[70,36]
    %2 = pack %1 {format="f32", layout="rows"} : f32[70,36]
    %3 = embed %0, %2 {partition="tokens", units=1} : f32[T,36]
    return %3
  })",
               {{"w", RandomTensor(70 * 36, 3)}}, 0);
}

TEST(EmitSelectRows, LastRows) {
  CheckKernels(R"(module "m" {
    %0 = input {name="x"} : f32[T,37]
    %1 = select_rows %0 {partition="tokens", units=1} : f32[L,37]
    return %1
  })",
               {}, 0);
}

}  // namespace
}  // namespace weft::codegen
