#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "absl/strings/str_replace.h"
#include "codegen/kernel_harness.h"

namespace weft::codegen {
namespace {

// Quants are equal but where x lies within rounding of half a quant: then one quant, 1/127 of about
// 4 standard deviations.
TEST(EmitQuantize, WholeBlocks) {
  CheckKernels(R"(module "m" {
    %0 = input {name="x"} : f32[T,128]
    %1 = quantize %0 {partition="tokens", units=1} : q8a[T,128]
    return %1
  })",
               {}, 1e-6);
}

TEST(EmitQuantize, RestOfABlock) {
  for (const char* width : {"80", "33", "17", "20"}) {
    std::string text = R"(module "m" {
      %0 = input {name="x"} : f32[T,WIDTH]
      %1 = quantize %0 {partition="tokens", units=1} : q8a[T,WIDTH]
      return %1
    })";
    absl::StrReplaceAll({{"WIDTH", width}}, &text);
    CheckKernels(text, {}, 1e-6);
  }
}

// amax = 0 gives scale 0 and quants 0, not NaN: relu-like zeros by a weight of zeros.
TEST(EmitQuantize, Zeros) {
  CheckKernels(R"(module "m" {
    tensor "z" : f32[64] {file=0, offset=0}
    %0 = input {name="x"} : f32[T,64]
    %1 = weight {tensor="z"} : f32[64]
    %2 = pack %1 {format="f32", layout="rows"} : f32[64]
    %3 = mul %0, %2 {partition="tokens", units=1} : f32[T,64]
    %4 = quantize %3 {partition="tokens", units=1} : q8a[T,64]
    return %4
  })",
               {{"z", std::vector<uint8_t>(64 * 4, 0)}}, 1e-6);
}

// Each in turn at the first, a middle and the last place of a whole block and of a rest: its block
// is NaN and the others are as before, for every target in the same bits.
TEST(EmitQuantize, WhatIsNoNumberMakesItsBlockNan) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float value : {std::nanf(""), -std::nanf("77"), infinity, -infinity}) {
    for (const size_t place : {0, 13, 16, 31, 32, 47, 51}) {
      std::vector<float> factors(52, 1);
      factors[place] = value;
      std::vector<uint8_t> bytes(factors.size() * 4);
      std::memcpy(bytes.data(), factors.data(), bytes.size());
      CheckKernels(R"(module "m" {
        tensor "z" : f32[52] {file=0, offset=0}
        %0 = input {name="x"} : f32[T,52]
        %1 = weight {tensor="z"} : f32[52]
        %2 = pack %1 {format="f32", layout="rows"} : f32[52]
        %3 = mul %0, %2 {partition="tokens", units=1} : f32[T,52]
        %4 = quantize %3 {partition="tokens", units=1} : q8a[T,52]
        return %4
      })",
                   {{"z", bytes}}, 1e-6);
    }
  }
}

// The matmul that reads such a row: NaN, whatever the weights are and the tier does with sums.
TEST(EmitQuantize, MatmulsOverNanAreNan) {
  std::vector<float> factors(64, 1);
  factors[40] = std::numeric_limits<float>::infinity();
  std::vector<uint8_t> bytes(factors.size() * 4);
  std::memcpy(bytes.data(), factors.data(), bytes.size());
  CheckKernels(R"(module "m" {
    tensor "z" : f32[64] {file=0, offset=0}
    tensor "w" : f32[48,64] {file=0, offset=0}
    %0 = input {name="x"} : f32[T,64]
    %1 = weight {tensor="z"} : f32[64]
    %2 = pack %1 {format="f32", layout="rows"} : f32[64]
    %3 = weight {tensor="w"} : f32[48,64]
    %4 = pack %3 {format="q8_0", layout="panels16"} : q8_0[48,64]{panels16}
    %5 = mul %0, %2 {partition="tokens", units=1} : f32[T,64]
    %6 = quantize %5 {partition="tokens", units=1} : q8a[T,64]
    %7 = matmul %6, %4 {partition="panels", units=3, grain=1} : f32[T,48]
    return %7
  })",
               {{"z", bytes}, {"w", RandomTensor(int64_t{48} * 64, 3)}}, 1e-4);
}

}  // namespace
}  // namespace weft::codegen
