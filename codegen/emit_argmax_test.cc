#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "codegen/kernel_harness.h"

namespace weft::codegen {
namespace {

TEST(EmitArgmax, AnyWidth) {
  for (const char* width : {"1", "16", "100", "513"}) {
    CheckKernels(absl::StrCat(R"(module "m" {
      %0 = input {name="x"} : f32[L,)",
                              width, R"(]
      %1 = argmax %0 {partition="tokens", units=1} : i32[L]
      return %1
    })"),
                 {}, 0);
  }
}

// Equal values everywhere: x · 0.
TEST(EmitArgmax, TiesGoToTheLowestIndex) {
  CheckKernels(R"(module "m" {
    %0 = input {name="x"} : f32[T,70]
    %1 = mul %0, %0 {partition="tokens", units=1} : f32[T,70]
    %2 = scale %1 {value=0.0, partition="tokens", units=1} : f32[T,70]
    %3 = argmax %2 {partition="tokens", units=1} : i32[T]
    return %3
  })",
               {}, 0);
}

}  // namespace
}  // namespace weft::codegen
