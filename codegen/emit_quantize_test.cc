#include <gtest/gtest.h>

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

}  // namespace
}  // namespace weft::codegen
